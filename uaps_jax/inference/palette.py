"""One colour per class, the same in every picture."""

from __future__ import annotations

import numpy as np

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


def colour(mask: np.ndarray) -> np.ndarray:
    """RGB `[H, W, 3]` of class ids `[H, W]`; background and 255 are black."""
    foreground = (mask.astype(int) - 1) % (len(COLOURS) - 1) + 1
    return COLOURS[np.where((mask == 0) | (mask == 255), 0, foreground)]


def overlay(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The image `[H, W, 1 or 3]` with its defects tinted."""
    rgb = np.broadcast_to(image, (*image.shape[:2], 3)).astype(np.float64)
    tinted = 0.45 * rgb + 0.55 * colour(mask)
    defect = ((mask != 0) & (mask != 255))[..., None]
    return np.round(np.where(defect, tinted, rgb)).astype(np.uint8)


def errors(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """RGB error map: white agreement on a defect, red missed, blue invented, yellow wrong class."""
    picture = np.zeros((*truth.shape, 3), np.uint8)
    labeled = truth != 255
    picture[labeled & (truth > 0) & (truth == prediction)] = (255, 255, 255)
    picture[labeled & (truth > 0) & (prediction == 0)] = (215, 48, 39)
    picture[labeled & (truth == 0) & (prediction > 0)] = (69, 117, 180)
    picture[labeled & (truth > 0) & (prediction > 0) & (truth != prediction)] = (254, 224, 76)
    return picture
