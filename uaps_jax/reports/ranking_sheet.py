"""A contact sheet of ranked images with their pseudo-labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from uaps_jax import palette
from uaps_jax.data.source import Pool
from uaps_jax.reports import contact_sheet


def draw(pool: Pool, labels: np.ndarray, titles: Sequence[str], target: Path) -> None:
    """Draws image, pseudo-label and mask, a row an image.

    Args:
      pool: images and masks.
      labels: class ids `[N, H, W]`.
      titles: of the rows.
      target: the PNG to write.
    """
    images = [np.broadcast_to(image, (*image.shape[:2], 3)) for image in pool.images]
    columns = {
        "image": images,
        "pseudo-label": list(map(palette.overlay, images, labels)),
        "truth, where there is one": list(map(palette.overlay, images, pool.masks)),
    }
    contact_sheet.draw(columns, titles, target)
