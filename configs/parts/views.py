"""Views with the released limits."""

from __future__ import annotations

from typing import Any

from uaps_jax import config as c

PHOTOMETRIC: dict[str, Any] = {
    "brightness_contrast": 0.0,
    "contrast_limit": (0.0, 0.5),
    "brightness_limit": (0.0, 0.5),
    "blur": 0.0,
    "jitter": 0.0,
    "jitter_limits": (0.2, 0.2, 0.2, 0.2),
    "jitter_random_order": False,
    "grayscale": 0.0,
    "gaussian_blur": 0.0,
    "gaussian_sigma": (0.1, 2.0),
    "pixel_dropout": 0.0,
    "pixel_dropout_rate": 0.01,
    "noise": 0.0,
    "noise_variance": (10.0, 50.0),
    "noise_first": False,
    "cutout": 0.0,
    "cutout_area": (0.02, 0.4),
    "cutout_aspect": (0.3, 1 / 0.3),
    "cutout_noise": True,
}
GEOMETRIC: dict[str, Any] = {
    "hflip": 0.0,
    "vflip": 0.0,
    "rot90": 0.0,
    "grid_distortion": 0.0,
    "scale": 0.0,
    "scale_range": (0.5, 2.0),
    "crop_height": 0,
    "crop_width": 0,
}


def photometric(**settings: Any) -> c.PhotometricConfig:
    """Changes of brightness and colour; what is not named has the released limits, or is off."""
    return c.PhotometricConfig(**(PHOTOMETRIC | settings))


def view(**settings: Any) -> c.ViewConfig:
    """Changes of geometry as well, likewise."""
    return c.ViewConfig(**(PHOTOMETRIC | GEOMETRIC | settings))


WEAK_TO_STRONG_VIEW: dict[str, Any] = {
    "jitter": 0.8,
    "jitter_limits": (0.5, 0.5, 0.5, 0.25),
    "jitter_random_order": True,
    "grayscale": 0.2,
    "gaussian_blur": 0.5,
}
"""The strong view of UniMatch and PPL; ST++ adds `cutout` 0.5."""


def weak_to_strong(**settings: Any) -> c.PhotometricConfig:
    """`WEAK_TO_STRONG_VIEW`, with what is named in its place."""
    return photometric(**(WEAK_TO_STRONG_VIEW | settings))


def geometry(of: c.ViewConfig) -> dict[str, Any]:
    """The geometric settings of a view."""
    return {name: getattr(of, name) for name in GEOMETRIC}
