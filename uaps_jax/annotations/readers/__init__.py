"""One module a format: its files to regions of images."""
