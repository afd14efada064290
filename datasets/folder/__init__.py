"""Your own images: a folder, two folders, or a table, most of them without masks."""
