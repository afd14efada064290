"""A contact sheet: a row of pictures for each image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from uaps_jax.datasets.plain_text import shown
from uaps_jax.reports import canvas
from uaps_jax.reports.mathtext import NO_MATH


def draw(columns: Mapping[str, Sequence[np.ndarray]], titles: Sequence[str], target: Path) -> None:
    """Draws pictures, a row an image.

    Args:
      columns: title -> a picture of each image, uint8 `[H, W, 3]`.
      titles: of the rows.
      target: the PNG to write.
    """
    count = len(titles)
    figure, axes = canvas.subplots(
        count, len(columns), figsize=(1.75 * len(columns) + 1, 1.75 * count + 0.4), squeeze=False
    )
    for column, (title, pictures) in enumerate(columns.items()):
        axes[0, column].set_title(title, fontsize=8)
        for row, picture in enumerate(pictures):
            axes[row, column].imshow(picture, interpolation="nearest")
            axes[row, column].set(xticks=[], yticks=[])
    for row, title in enumerate(titles):
        lines = "\n".join(map(shown, title.split("\n")))
        axes[row, 0].set_ylabel(lines, fontsize=6, **NO_MATH)
    canvas.save(figure, target, dpi=110)
