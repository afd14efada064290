"""Images of any kind that a camera or a microscope writes, as 8-bit RGB, upright."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from datasets.common import SIXTEEN_BIT_GREY, decode, read_image

_ORIENTATION = 0x0112  # EXIF tag
_UPRIGHT = 1
_TURNS = {
    2: (True, 0),
    3: (False, 2),
    4: (True, 2),
    5: (True, 1),
    6: (False, 3),
    7: (True, 3),
    8: (False, 1),
}
"""EXIF orientation -> whether to mirror left to right, then how many quarter turns to the left."""


def read_any_image(data: bytes, white: int) -> np.ndarray:
    """Decodes an image to RGB, turned as its EXIF data ask.

    Args:
      data: the encoded image: 8 bits per channel, or 16-bit grey; transparency is dropped.
      white: the value that becomes 255 in a 16-bit image (65535, or 4095 for 12-bit cameras);
        brighter ones are clipped.

    Returns:
      uint8 [H, W, 3].

    Raises:
      UnreadableError: it cannot be decoded, or is 16-bit colour or floating point.
    """
    image = decode(data)
    if image.mode in SIXTEEN_BIT_GREY:
        grey = np.clip(np.round(np.array(image).astype(np.int64) * (255 / white)), 0, 255)
        pixels = np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    else:
        pixels = read_image(data)
    mirrored, turns = _TURNS.get(orientation(data), (False, 0))
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, turns).copy()


def orientation(data: bytes) -> int:
    """The EXIF orientation of an image that can be read; 1, upright, where it names none.

    Of a TIFF it is 1 always: Pillow turns those itself.
    """
    with Image.open(io.BytesIO(data)) as image:
        found = image.getexif().get(_ORIENTATION, _UPRIGHT)
        turned = found in _TURNS and image.format != "TIFF"
    return int(found) if turned else _UPRIGHT
