"""The pictures of a prediction as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from uaps_jax import palette
from uaps_jax.datasets.pieces import pieces


def write(
    target: Path, name: str, image: np.ndarray, mask: np.ndarray, uncertainty: np.ndarray
) -> None:
    """Writes the PNGs `mask/`, `overlay/` and `uncertainty/` of one image, all of its size.

    A mask holds class ids. An uncertainty map is grey, 255 for 1 nat and more.

    Raises:
      ValueError: the name leads out of the target folder.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"{name!r} leads out of {target}")
    pictures = {
        "mask": mask,
        "overlay": palette.overlay(image, mask),
        "uncertainty": _grey(uncertainty),
    }
    for kind, picture in pictures.items():
        file = target / kind / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(file)


def _grey(uncertainty: np.ndarray) -> np.ndarray:
    """uint8 `[H, W]` of nats, 255 for 1 and more."""
    grey = np.empty(uncertainty.shape, np.uint8)
    values = uncertainty.reshape(-1)
    for part in pieces(values.size):
        grey.reshape(-1)[part] = np.round(255 * np.clip(values[part], 0, 1))
    return grey
