"""One module a format: proposed masks to its files."""
