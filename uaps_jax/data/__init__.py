"""The host's side of the data: which images exist, who may see them, and in which order."""
