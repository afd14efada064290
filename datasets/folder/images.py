"""Images of any kind that a camera or a microscope writes, as 8-bit RGB."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from datasets.common import decode, read_image

_SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L")
_ORIENTATION = 0x0112  # EXIF tag; 1 is upright


def read_any_image(data: bytes, white: int) -> np.ndarray:
    """Decodes an image to RGB.

    Args:
      data: the encoded image, 8 or 16 bits per channel; transparency is dropped.
      white: the value that becomes 255 in a 16-bit image (65535, or 4095 for 12-bit cameras);
        brighter ones are clipped.

    Returns:
      uint8 [H, W, 3].

    Raises:
      UnreadableError: it cannot be decoded, or is of a kind without a white (floating point).
    """
    image = decode(data)
    if image.mode not in _SIXTEEN_BIT:
        return read_image(data)
    grey = np.array(image).astype(np.int64)
    scaled = np.clip(np.round(grey * (255 / white)), 0, 255).astype(np.uint8)
    return np.repeat(scaled[..., None], 3, axis=2)


def orientation(data: bytes) -> int:
    """The EXIF orientation of an image that can be read; 1, upright, where it has none."""
    with Image.open(io.BytesIO(data)) as image:
        return int(image.getexif().get(_ORIENTATION, 1))
