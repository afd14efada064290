"""A contact sheet of ranked images with their pseudo-labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from uaps_jax import palette
from uaps_jax.data.source import Pool
from uaps_jax.datasets.plain_text import shown
from uaps_jax.reports import canvas
from uaps_jax.reports.mathtext import NO_MATH

COLUMNS = ("image", "pseudo-label", "truth, where there is one")


def draw(pool: Pool, labels: np.ndarray, titles: Sequence[str], target: Path) -> None:
    """Draws image, pseudo-label and mask, a row an image.

    Args:
      pool: images and masks.
      labels: class ids `[N, H, W]`.
      titles: of the rows.
      target: the PNG to write.
    """
    count = len(pool.names)
    figure, axes = canvas.subplots(
        count, len(COLUMNS), figsize=(1.75 * len(COLUMNS) + 1, 1.75 * count + 0.4), squeeze=False
    )
    for row in range(count):
        image = pool.images[row]
        pictures = (
            np.broadcast_to(image, (*image.shape[:2], 3)),
            palette.overlay(image, labels[row]),
            palette.overlay(image, pool.masks[row]),
        )
        for column, picture in enumerate(pictures):
            axes[row, column].imshow(picture, interpolation="nearest")
            axes[row, column].set(xticks=[], yticks=[])
        lines = "\n".join(map(shown, titles[row].split("\n")))
        axes[row, 0].set_ylabel(lines, fontsize=6, **NO_MATH)
    for axis, title in zip(axes[0], COLUMNS, strict=True):
        axis.set_title(title, fontsize=8)
    canvas.save(figure, target, dpi=110)
