"""DAGM 2007: ten kinds of synthetic texture, each with one kind of defect."""
