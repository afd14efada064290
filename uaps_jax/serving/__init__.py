"""An exported model behind HTTP, on the machine itself: a photograph in, a verdict out."""
