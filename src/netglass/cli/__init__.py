"""The command line: ``netglass``."""
