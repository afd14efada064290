"""The pictures of a prediction as files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from uaps_jax import palette
from uaps_jax.datasets.pieces import pieces
from uaps_jax.inference.defects import Defect

THUMBNAIL = 240  # pixels of its longer side
_JPEG_SIDE = 65500  # the longest that a JPEG can have
_JPEG_QUALITY = 90
_PNG_LEVEL = 3  # of zlib; 6, the usual one, takes three times as long for a photograph
_FRAMED = 20  # the most defects that have a frame in a thumbnail


def write(
    target: Path,
    name: str,
    image: np.ndarray,
    mask: np.ndarray,
    uncertainty: np.ndarray,
    white: float,
    defects: Sequence[Defect],
) -> None:
    """Writes the pictures of one image: `<target>/<kind>/<name>.<suffix>`.

    * `mask`: PNG with a palette. The values are class ids, the colours those of `palette`; the
      background is transparent.
    * `overlay`: PNG of the image with its defects tinted.
    * `uncertainty`: grey PNG, 255 for `white` and more.
    * `photograph`: JPEG of the image, for browsers.
    * `thumbnail`: JPEG of the image with its defects tinted and framed.

    Args:
      target: folder.
      name: of the image, a relative path without suffix.
      image: uint8 RGB `[H, W, 3]`, or grey `[H, W, 1]`.
      mask: class ids, uint8 `[H, W]`.
      uncertainty: float `[H, W]`.
      white: the uncertainty that is white.
      defects: of the mask, the largest first.

    Raises:
      ValueError: the name leads out of the target folder.
      OSError: a file cannot be written.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"{name!r} leads out of {target}")
    for (kind, suffix), picture in _pictures(image, mask, uncertainty, white, defects):
        file = path(target, kind, name, suffix)
        file.parent.mkdir(parents=True, exist_ok=True)
        # Each format ignores the setting of the other.
        picture.save(file, quality=_JPEG_QUALITY, compress_level=_PNG_LEVEL)


def path(target: Path, kind: str, name: str, suffix: str) -> Path:
    """The file of a picture."""
    return target / kind / f"{name}.{suffix}"


def _pictures(
    image: np.ndarray,
    mask: np.ndarray,
    uncertainty: np.ndarray,
    white: float,
    defects: Sequence[Defect],
) -> Iterator[tuple[tuple[str, str], Image.Image]]:
    """Kind and suffix, and the picture."""
    pixels = Image.fromarray(np.broadcast_to(image, (*mask.shape, 3)))
    yield ("mask", "png"), coloured(mask)
    yield ("overlay", "png"), Image.fromarray(palette.overlay(image, mask))
    yield ("uncertainty", "png"), Image.fromarray(_grey(uncertainty, white))
    yield ("thumbnail", "jpg"), thumbnail(pixels, mask, defects)
    pixels.thumbnail((_JPEG_SIDE, _JPEG_SIDE))
    yield ("photograph", "jpg"), pixels


def coloured(mask: np.ndarray) -> Image.Image:
    """Class ids, uint8 `[H, W]`, with a palette; the background is transparent."""
    picture = Image.fromarray(mask)
    picture.putpalette(palette.colour(np.arange(256)).astype(np.uint8).tobytes())
    picture.info["transparency"] = 0
    return picture


def thumbnail(image: Image.Image, mask: np.ndarray, defects: Sequence[Defect]) -> Image.Image:
    """A small picture of an image with its defects tinted and the largest ones framed."""
    small = image.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    tinted = palette.overlay(np.asarray(small), palette.shrunk(mask, (small.height, small.width)))
    picture = Image.fromarray(tinted)
    draw = ImageDraw.Draw(picture)
    scale_x, scale_y = small.width / image.width, small.height / image.height
    for defect in defects[:_FRAMED]:
        left, top, width, height = defect.box
        frame = (
            int(left * scale_x) - 3,
            int(top * scale_y) - 3,
            int((left + width) * scale_x) + 3,
            int((top + height) * scale_y) + 3,
        )
        colour = palette.colour(np.array([defect.label]))[0]
        draw.rectangle(frame, outline=(int(colour[0]), int(colour[1]), int(colour[2])))
    return picture


def _grey(uncertainty: np.ndarray, white: float) -> np.ndarray:
    """uint8 `[H, W]`, 255 for `white` and more."""
    grey = np.empty(uncertainty.shape, np.uint8)
    values = uncertainty.reshape(-1)
    for part in pieces(values.size):
        grey.reshape(-1)[part] = np.round(255 * np.clip(values[part] / white, 0, 1))
    return grey
