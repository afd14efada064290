"""A contact sheet of ranked images with their pseudo-labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from uaps_jax import palette
from uaps_jax.reports import contact_sheet


def draw(
    images: Iterable[np.ndarray],
    labels: Iterable[np.ndarray],
    truths: Iterable[np.ndarray],
    titles: Sequence[str],
    target: Path,
) -> None:
    """Draws image, pseudo-label and mask, a row an image; each may have a size of its own.

    Args:
      images: uint8 `[H, W, 1 or 3]` each.
      labels: pseudo-labels, class ids `[H, W]` each.
      truths: masks, likewise.
      titles: of the rows.
      target: the PNG to write.
    """
    pictures = [np.broadcast_to(image, (*image.shape[:2], 3)) for image in images]
    columns = {
        "image": pictures,
        "pseudo-label": list(map(palette.overlay, pictures, labels)),
        "truth, where there is one": list(map(palette.overlay, pictures, truths)),
    }
    contact_sheet.draw(columns, titles, target)
