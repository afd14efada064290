"""A local page on which a person decides on the proposals of a queue."""
