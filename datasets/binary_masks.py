"""Masks of defect and background, white and black."""

from __future__ import annotations

import numpy as np

from uaps_jax.datasets.common import UnreadableError, read_image

MIDDLE = 127
"""The usual threshold: what is nearer to white than to black is defect."""


def read_binary(data: bytes, label: int, threshold: int = MIDDLE) -> np.ndarray:
    """Decodes a mask of grey values.

    Args:
      data: an encoded image, grey or in colours that are all grey.
      label: the class id of the foreground.
      threshold: what is above it is foreground.

    Returns:
      uint8 [H, W]: `label` or 0.

    Raises:
      UnreadableError: if the file cannot be decoded or holds colours; or if it has
        values other than 0, but none above the threshold: then it is a mask of another kind.
    """
    channels = read_image(data)
    values = channels[:, :, 0]
    if (channels != values[:, :, None]).any():
        raise UnreadableError("the mask holds colours, expected grey from 0 to 255")
    highest = int(values.max(initial=0))
    if 0 < highest <= threshold:
        raise UnreadableError(
            f"the mask marks nothing: its highest value is {highest}, and only what is above "
            f"{threshold} is a defect; perhaps it holds class ids, expected are 0 and 255"
        )
    return np.where(values > threshold, np.uint8(label), np.uint8(0))
