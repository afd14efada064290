"""Weights of PyTorch, read without PyTorch and without executing a pickle."""

from uaps_jax.weights.errors import WeightsError
from uaps_jax.weights.formats import read
from uaps_jax.weights.names import EFFICIENTNET_LITE0, RESNET, RESNET_DEEP_STEM, Table
from uaps_jax.weights.variables import Loaded, found_prefix, to_variables

__all__ = [
    "EFFICIENTNET_LITE0",
    "RESNET",
    "RESNET_DEEP_STEM",
    "Loaded",
    "Table",
    "WeightsError",
    "found_prefix",
    "read",
    "to_variables",
]
