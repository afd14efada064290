"""Reads the annotations of CrackForest, which are MATLAB files."""

from __future__ import annotations

import io

import numpy as np
import scipy.io

from uaps_jax.datasets.common import UnreadableError
from uaps_jax.datasets.crackforest import mat_size

BACKGROUND, CRACK, REGIONS = 1, 2, (3, 4)
"""The values of a segmentation; 3 and 4 are regions that cracks enclose."""


def read_segmentation(data: bytes) -> np.ndarray:
    """The values of an annotation.

    Args:
      data: a MATLAB 5 file with a struct groundTruth that has a field Segmentation.

    Returns:
      uint8 [H, W], values 1 to 4.

    Raises:
      UnreadableError: if it is not such a file, is damaged, too large, or holds other values.
    """
    if not data:
        raise UnreadableError("the file is empty")
    mat_size.check(data)
    try:
        content = scipy.io.loadmat(io.BytesIO(data), variable_names=["groundTruth"])
    except Exception as error:  # Damaged files make the reader raise errors of many types.
        text = str(error) or type(error).__name__
        raise UnreadableError(f"cannot be read as a MATLAB 5 file: {text}") from error
    try:
        values = np.asarray(content["groundTruth"]["Segmentation"][0, 0])
    except (KeyError, ValueError, IndexError) as error:
        raise UnreadableError("holds no groundTruth.Segmentation") from error
    if values.ndim != 2 or values.dtype.kind not in "uif":
        raise UnreadableError(
            f"groundTruth.Segmentation has the shape {values.shape} and the type {values.dtype}, "
            "expected are whole numbers in rows and columns"
        )
    unknown = np.setdiff1d(values, (BACKGROUND, CRACK, *REGIONS)).tolist()
    if unknown:
        raise UnreadableError(
            f"groundTruth.Segmentation holds the values {', '.join(map(str, unknown[:8]))}; known "
            f"are {BACKGROUND} (background), {CRACK} (crack), {REGIONS[0]} and {REGIONS[1]} "
            "(regions that cracks enclose)"
        )
    return values.astype(np.uint8)
