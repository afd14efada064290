"""Trained models: loading, prediction, export."""

from uaps_jax.inference.images import ImageError
from uaps_jax.inference.trained import Prediction, TrainedModel, load

__all__ = ["ImageError", "Prediction", "TrainedModel", "load"]
