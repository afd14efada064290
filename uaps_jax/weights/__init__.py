"""Weights of PyTorch, read without PyTorch and without executing a pickle."""

from uaps_jax.weights.errors import WeightsError
from uaps_jax.weights.formats import read

__all__ = ["WeightsError", "read"]
