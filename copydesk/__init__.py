"""The front door: the command line, one file per group of commands."""
