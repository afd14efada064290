"""Data on the host: datasets, splits, the order of the images, batches, audits."""
