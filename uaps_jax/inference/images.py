"""Images as callers give them: arrays, or paths of files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from uaps_jax.data import photographs
from uaps_jax.data.photographs import Photographs
from uaps_jax.datasets.common import UnreadableError
from uaps_jax.datasets.folder.images import conversions, read_any_image
from uaps_jax.datasets.plain_text import shown
from uaps_jax.datasets.regular_files import read_regular

Image = np.ndarray | str | os.PathLike[str]
"""uint8 `[H, W]`, grey, or `[H, W, 3]`, RGB; or the path of an image file."""


class Photograph(NamedTuple):
    """An image file.

    Attributes:
      pixels: uint8 RGB `[H, W, 3]`.
      notes: what was changed to make it RGB with 8 bits a channel.
      is_grey: whether it has grey levels alone.
    """

    pixels: np.ndarray
    notes: tuple[str, ...]
    is_grey: bool

    def compared(self, trained_on: Photographs | None) -> Photograph:
        """The photograph with notes on how it differs from those of a training, if known."""
        if trained_on is None:
            return self
        size = (self.pixels.shape[0], self.pixels.shape[1])
        more = trained_on.differences(size, is_grey=self.is_grey)
        return self._replace(notes=(*self.notes, *more))


class ImageError(ValueError):
    """An image that cannot be used.

    Attributes:
      reason: why, without the name of the image.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)  # all arguments, so that the error survives pickling
        self.reason = reason

    def __str__(self) -> str:
        return f"{shown(self.args[0])}: {self.reason}"


def rgb(image: Image, name: str, white: int) -> np.ndarray:
    """An image as uint8 RGB `[H, W, 3]`.

    Args:
      image: array or path.
      name: of an array, for errors.
      white: as `read`.

    Raises:
      ImageError: it is no such array, or the file cannot be read.
    """
    if not isinstance(image, np.ndarray):
        if not isinstance(image, str | Path):
            raise ImageError(name, f"is of type {type(image).__name__}; give an array or a path")
        return read(Path(image), white)
    is_grey, is_rgb = image.ndim == 2, image.ndim == 3 and image.shape[2] == 3
    if image.dtype != np.uint8 or not (is_grey or is_rgb) or not image.size:
        shape = ", ".join(map(str, image.shape))
        raise ImageError(
            name, f"is {image.dtype} [{shape}]; give uint8 [H, W], grey, or [H, W, 3], RGB"
        )
    return np.repeat(image[..., None], 3, axis=2) if is_grey else image


def read(file: Path, white: int) -> np.ndarray:
    """The pixels of `read_photograph`."""
    return read_photograph(file, white).pixels


def read_photograph(file: Path, white: int) -> Photograph:
    """An image file as uint8 RGB.

    Args:
      file: PNG, JPEG, BMP or TIFF.
      white: the value that becomes 255 in a 16-bit image.

    Raises:
      ImageError: it cannot be read.
    """
    try:
        return decoded(read_regular(file), str(file), white)
    except OSError as error:
        raise ImageError(str(file), f"cannot be read: {error.strerror or error}") from error


def decoded(data: bytes, name: str, white: int) -> Photograph:
    """The bytes of an image file as uint8 RGB.

    Args:
      data: of a PNG, JPEG, BMP or TIFF.
      name: of the file, for errors.
      white: as `read_photograph`.

    Raises:
      ImageError: they cannot be decoded.
    """
    try:
        pixels = read_any_image(data, white)
        notes = tuple(conversions(data, white))
        return Photograph(pixels, notes, photographs.is_grey(pixels))
    except UnreadableError as error:
        raise ImageError(name, str(error)) from error
