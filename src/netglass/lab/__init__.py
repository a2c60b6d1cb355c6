"""Many real hosts on one machine."""
