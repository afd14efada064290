"""One number of each image, from its map of uncertainty `[H, W]`.

The mean over all pixels hides a defect that covers one pixel in a hundred: background decides.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def mean(uncertainty: np.ndarray) -> float:
    """Over all pixels."""
    return float(uncertainty.mean(dtype=np.float64))


def top_share(uncertainty: np.ndarray, share: float) -> float:
    """The mean of the most uncertain pixels.

    Args:
      uncertainty: `[H, W]`.
      share: of the pixels, in (0, 1]; at least one pixel counts.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share = {share}: must be above 0, up to 1")
    count = max(1, round(share * uncertainty.size))
    largest = np.partition(uncertainty.reshape(-1), -count)[-count:]
    return float(largest.mean(dtype=np.float64))


def predicted_foreground(uncertainty: np.ndarray, probabilities: np.ndarray, border: int) -> float:
    """The mean over predicted defects and a border around them; 0 if no defect is predicted.

    Args:
      uncertainty: `[H, W]`.
      probabilities: mean ones, `[H, W, C]`; class 0 is the background.
      border: pixels within this many steps to one of eight neighbours count as well.
    """
    inside = probabilities.argmax(-1) != 0
    if border:
        inside = ndimage.binary_dilation(inside, np.ones((3, 3), bool), iterations=border)
    return float(uncertainty[inside].mean(dtype=np.float64)) if inside.any() else 0.0


def class_balanced(uncertainty: np.ndarray, probabilities: np.ndarray) -> float:
    """The mean, over the predicted classes, of the mean over the pixels of each.

    Args:
      uncertainty: `[H, W]`.
      probabilities: mean ones, `[H, W, C]`.
    """
    labels = probabilities.argmax(-1)
    return float(
        np.mean([uncertainty[labels == c].mean(dtype=np.float64) for c in np.unique(labels)])
    )


def worst_window(uncertainty: np.ndarray, side: int) -> float:
    """The largest mean of a window of `side` x `side` pixels that lies in the image.

    A side of the image that is shorter than `side` is the window's.
    """
    if side < 1:
        raise ValueError(f"side = {side}: must be at least 1")
    height, width = (min(side, n) for n in uncertainty.shape)
    sums = np.zeros((uncertainty.shape[0] + 1, uncertainty.shape[1] + 1))
    sums[1:, 1:] = uncertainty.cumsum(0, dtype=np.float64).cumsum(1)
    windows = (sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width]) + sums[
        :-height, :-width
    ]
    return float(windows.max() / (height * width))
