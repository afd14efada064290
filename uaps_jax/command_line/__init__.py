"""From the flags of `run.py` to a command, and from its end to an exit status."""
