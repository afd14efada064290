"""Class ids in masks."""

IGNORE = 255
"""The class id of pixels without a label; 0 is the background."""
