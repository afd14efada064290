"""Which images to annotate next: pure functions of predictions and features, in numpy.

`uncertainty` gives a map of each image, `aggregation` a number of each map, `diversity` and
`selection` indices of images.
"""
