"""One colour per class, the same in every picture."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from uaps_jax.datasets.pieces import pieces
from uaps_jax.labels import IGNORE

# Okabe and Ito's colours, told apart by colour-blind readers, then darker ones.
COLOURS = np.array(
    [
        (0, 0, 0),
        (0, 158, 115),
        (86, 180, 233),
        (204, 121, 167),
        (230, 159, 0),
        (213, 94, 0),
        (240, 228, 66),
        (0, 114, 178),
        (148, 103, 189),
        (140, 86, 75),
        (188, 189, 34),
    ],
    np.uint8,
)


IGNORED = (224, 224, 224)
"""Of pixels without a label, where they are shown."""


def colour(mask: np.ndarray) -> np.ndarray:
    """RGB `[H, W, 3]` of class ids `[H, W]`; background and 255 are black."""
    foreground = (mask.astype(int) - 1) % (len(COLOURS) - 1) + 1
    return COLOURS[np.where((mask == 0) | (mask == 255), 0, foreground)]


def png(mask: np.ndarray) -> bytes:
    """A palette PNG of class ids `[H, W]`: its values are the ids, shown in their colours.

    255 is shown as light grey.
    """
    every = np.arange(256, dtype=np.uint8)
    colours = colour(every)
    colours[IGNORE] = IGNORED
    picture = Image.fromarray(mask)
    picture.putpalette(colours.tobytes())
    content = io.BytesIO()
    picture.save(content, format="PNG")
    return content.getvalue()


def overlay(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The image, uint8 `[H, W, 1 or 3]`, with its defects tinted, uint8 `[H, W, 3]`."""
    tinted = np.broadcast_to(image, (*image.shape[:2], 3)).astype(np.uint8, order="C")
    pixels, labels = tinted.reshape(-1, 3), mask.reshape(-1)
    for part in pieces(len(labels)):
        defect = np.flatnonzero((labels[part] != 0) & (labels[part] != 255))
        blended = 0.45 * pixels[part][defect] + 0.55 * colour(labels[part][defect])
        pixels[part][defect] = np.round(blended)
    return tinted


def shrunk(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask `[H, W]` at a size that is no larger; a pixel shows any defect that it covers."""
    rows, columns = (np.arange(n) * m // n for n, m in zip(size, mask.shape, strict=True))
    defects = np.where(mask == IGNORE, np.uint8(0), mask)
    small: np.ndarray = np.maximum.reduceat(np.maximum.reduceat(defects, rows, 0), columns, 1)
    return small


def errors(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """The errors of a prediction, both class ids `[H, W]`, as uint8 RGB `[H, W, 3]`.

    White is a correct defect, red a missed one, blue a false positive, yellow another class.
    """
    picture = np.zeros((*truth.shape, 3), np.uint8)
    labeled = truth != 255
    picture[labeled & (truth > 0) & (truth == prediction)] = (255, 255, 255)
    picture[labeled & (truth > 0) & (prediction == 0)] = (215, 48, 39)
    picture[labeled & (truth == 0) & (prediction > 0)] = (69, 117, 180)
    picture[labeled & (truth > 0) & (prediction > 0) & (truth != prediction)] = (254, 224, 76)
    return picture
