"""Annotations of other programs: read as regions of images, and written as proposals for them."""
