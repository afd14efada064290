"""From the flags of a command line to a command and its exit status."""
