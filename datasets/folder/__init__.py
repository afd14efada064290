"""A user's own images: two folders or a table, most images without masks."""
