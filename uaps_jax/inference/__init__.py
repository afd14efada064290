"""From a checkpoint to masks of new images."""
