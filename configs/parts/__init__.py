"""The parts of configurations: datasets, networks, methods and variants."""
