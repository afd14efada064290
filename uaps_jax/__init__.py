"""uaps_jax: a functional JAX toolkit for semi-supervised defect segmentation."""

__version__ = "0.1.0"
