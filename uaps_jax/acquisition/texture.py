"""What an image looks like, without a network: for the first annotations.

The features of a network with random weights hardly tell images apart; those of pretrained weights
do, where there are any.
"""

from __future__ import annotations

import numpy as np

SCALES = (1, 2, 4)
ORIENTATIONS = 8


def texture(images: np.ndarray) -> np.ndarray:
    """Brightness, contrast and edges by their direction, at three scales: `[N, 30]`.

    For each scale, by means of blocks of 1, 2 and 4 pixels: mean and standard deviation of the
    grey values, and the mean edge strength in each of eight ranges of directions, of which opposite
    ones are the same (as in HOG, Dalal and Triggs 2005, of the image as one cell).

    Args:
      images: `[N, H, W, channels]`, both sides at least 8.
    """
    grey = images.mean(-1, dtype=np.float64) / 255
    return np.concatenate([_of_scale(_blocks(grey, scale)) for scale in SCALES], axis=1)


def standardized(features: np.ndarray) -> np.ndarray:
    """Each column with mean 0 and standard deviation 1; 0 where all images are alike."""
    centred = features - features.mean(0)
    deviation = centred.std(0)
    varies = deviation > 1e-9 * np.maximum(np.abs(features).max(0), 1)
    return np.where(varies, centred / np.where(varies, deviation, 1), 0)


def _blocks(grey: np.ndarray, side: int) -> np.ndarray:
    """Means over blocks of side x side pixels; what is left at the end is left out."""
    count, height, width = grey.shape
    rows, columns = height // side, width // side
    cut = grey[:, : rows * side, : columns * side]
    means: np.ndarray = cut.reshape(count, rows, side, columns, side).mean((2, 4))
    return means


def _of_scale(grey: np.ndarray) -> np.ndarray:
    along_y, along_x = np.gradient(grey, axis=(1, 2))
    strength = np.hypot(along_x, along_y)
    turn = np.arctan2(along_y, along_x) % np.pi / np.pi
    bins = np.minimum((turn * ORIENTATIONS).astype(int), ORIENTATIONS - 1)
    edges = [(strength * (bins == one)).mean((1, 2)) for one in range(ORIENTATIONS)]
    return np.stack([grey.mean((1, 2)), grey.std((1, 2)), *edges], axis=1)
