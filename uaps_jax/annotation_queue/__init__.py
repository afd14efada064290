"""Images in the order in which they are to be annotated: the folder of a queue."""
