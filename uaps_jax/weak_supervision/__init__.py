"""Learning from rough masks and from image labels, as functions of arrays."""
