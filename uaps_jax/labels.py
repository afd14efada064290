"""The one convention about class ids that every part shares."""

IGNORE = 255
"""The class id of pixels without a label; 0 is the background."""
