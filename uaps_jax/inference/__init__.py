"""Trained models: loading, prediction, export."""

from uaps_jax.inference.images import ImageError
from uaps_jax.inference.prediction import Prediction
from uaps_jax.inference.trained import TrainedModel, load

__all__ = ["ImageError", "Prediction", "TrainedModel", "load"]
