"""One applier per kind of kernel object; strangers to one another and to intent."""
