"""What configurations are put together from: datasets, networks, methods and variants."""
