"""Images of cameras and microscopes, as upright 8-bit RGB."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from uaps_jax.datasets.common import SIXTEEN_BIT_GREY, UnreadableError, decode, open_image, rgb
from uaps_jax.datasets.pieces import pieces

_ORIENTATION = 0x0112  # EXIF tag
UPRIGHT = 1
_LEVELS = 2**16
_TURNS = {
    2: (True, 0),
    3: (False, 2),
    4: (True, 2),
    5: (True, 1),
    6: (False, 3),
    7: (True, 3),
    8: (False, 1),
}
"""EXIF orientation -> whether to mirror left to right, then quarter turns to the left."""


def read_any_image(data: bytes, white: int) -> np.ndarray:
    """Decodes an image to RGB, rotated as its EXIF data say.

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
        pixels = np.repeat(_scaled(np.array(image), white)[..., None], 3, axis=2)
    else:
        pixels = rgb(image)
    mirrored, turns = _TURNS.get(orientation(data), (False, 0))
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, turns).copy()


def conversions(data: bytes, white: int) -> Iterator[str]:
    """What `read_any_image` changes in a readable image, beyond its format; sentences."""
    with open_image(data) as image:
        if image.mode in SIXTEEN_BIT_GREY:
            yield f"16 bits a pixel: the value {white} is taken as white"
        if image.mode == "CMYK":
            yield "CMYK: converted to RGB without its colour profile"
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            yield "its transparency is left out"
    if named_orientation(data) != UPRIGHT:
        yield "turned upright, as its EXIF data say"


def _scaled(levels: np.ndarray, white: int) -> np.ndarray:
    """Grey levels [H, W] of 16 bits as uint8 [H, W]."""
    table = np.clip(np.round(np.arange(_LEVELS) * (255 / white)), 0, 255).astype(np.uint8)
    grey = np.empty(levels.shape, np.uint8)
    for part in pieces(levels.size):
        grey.reshape(-1)[part] = table[levels.reshape(-1)[part].clip(0, _LEVELS - 1)]
    return grey


def named_orientation(data: bytes) -> int:
    """The orientation in the file, also of a TIFF; raises as `orientation`."""
    with open_image(data) as image:
        if image.format != "TIFF":
            return orientation(data)
        value = image.tag_v2.get(_ORIENTATION, UPRIGHT)  # type: ignore[attr-defined]
        return int(value) if value in _TURNS else UPRIGHT


def orientation(data: bytes) -> int:
    """The EXIF orientation of a readable image; 1, upright, if it has none.

    Of a TIFF it is always 1: Pillow rotates those itself.

    Raises:
      UnreadableError: the EXIF data are damaged.
    """
    with open_image(data) as image:
        if image.format == "TIFF":
            return UPRIGHT
        try:
            value = image.getexif().get(_ORIENTATION, UPRIGHT)
            return int(value) if value in _TURNS else UPRIGHT
        except Exception as error:  # Of many types, as in `decode`.
            text = str(error) or type(error).__name__
            raise UnreadableError(f"its EXIF data are damaged, save it anew: {text}") from error
