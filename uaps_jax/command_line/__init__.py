"""From the flags of a command line to a command, and from its end to an exit status."""
