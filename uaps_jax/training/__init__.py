"""Training: the jitted step, the loop, checkpoints and the files of a run."""
