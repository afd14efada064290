"""Magnetic tiles: blowholes, breaks, cracks, fraying and uneven grinding, one class a folder."""
