"""Pictures of some validation images as the network segments them, made at every evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from uaps_jax import palette
from uaps_jax.data import order
from uaps_jax.data.source import Pool
from uaps_jax.data.whole_images import WholeImages
from uaps_jax.datasets.plain_text import shown
from uaps_jax.evaluation import whole_images
from uaps_jax.evaluation.whole_images import Probabilities
from uaps_jax.trees import Tree

IMAGES = 4
SIDE = 128  # pixels; the longer side of an image in a picture

Preview = Callable[[Tree], dict[str, np.ndarray]]
"""Variables to tag -> picture, uint8 RGB `[H, W, 3]`."""


def make_preview_function(
    probabilities: Probabilities, pool: Pool | WholeImages, *, batch_size: int
) -> Preview:
    """The function that draws a few images of a pool, spread evenly over it.

    A picture shows an image, its true mask and its predicted mask side by side.

    Args:
      probabilities: jitted.
      pool: the images.
      batch_size: tiles of whole images at once.
    """
    rows = order.evenly_spaced(len(pool.names), IMAGES)
    if isinstance(pool, WholeImages):
        return _of_whole_images(probabilities, pool, [pool.names[row] for row in rows], batch_size)
    images = pool.images[rows]

    def preview(variables: Tree) -> dict[str, np.ndarray]:
        masks = np.asarray(probabilities(variables, images)).argmax(-1).astype(np.uint8)
        return {
            _tag(pool.names[row]): picture(image, pool.masks[row], mask)
            for row, image, mask in zip(rows, images, masks, strict=True)
        }

    return preview


def _of_whole_images(
    probabilities: Probabilities, pool: WholeImages, names: Sequence[str], batch_size: int
) -> Preview:
    def preview(variables: Tree) -> dict[str, np.ndarray]:
        predicted = whole_images.predicted(probabilities, variables, pool, names, batch_size)
        return {_tag(one.name): picture(one.pixels, one.truth, one.mask) for one in predicted}

    return preview


def _tag(name: str) -> str:
    return f"validation/{shown(name)}"


def picture(image: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """An image without and with its masks, side by side, uint8 RGB.

    Args:
      image: uint8 `[H, W, 1 or 3]`.
      truth: class ids `[H, W]`; 255 where there is none.
      prediction: class ids `[H, W]`.
    """
    small = Image.fromarray(np.broadcast_to(image, (*image.shape[:2], 3)).copy())
    small.thumbnail((SIDE, SIDE))
    pixels = np.asarray(small)
    masks = (palette.shrunk(mask, pixels.shape[:2]) for mask in (truth, prediction))
    return np.concatenate([pixels, *(palette.overlay(pixels, mask) for mask in masks)], axis=1)
