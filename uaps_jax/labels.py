"""The convention for class ids."""

IGNORE = 255
"""The class id of pixels without a label; 0 is the background."""
