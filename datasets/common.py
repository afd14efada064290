"""Strict decoding of images and masks, and one report of all problems, for every builder.

A dataset is either read completely or not at all. No file is repaired silently: a truncated JPEG is
an error, not an image with a grey band, and a mask value that is no class is reported, not clipped.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from uaps_jax.datasets.plain_text import shown
from uaps_jax.datasets.regular_files import read_regular
from uaps_jax.labels import IGNORE

Source = str | os.PathLike | bytes
"""An encoded image: the path of a file, or its bytes."""

Decoder = Callable[[bytes], np.ndarray]
"""Decodes an image or a mask; raises `UnreadableError`."""

MOST_PIXELS = 89_000_000
"""The most pixels of an image or a mask; decoding takes some ten bytes a pixel. Pillow warns from a
slightly larger number on."""

FORMATS = ("PNG", "JPEG", "BMP", "DIB", "TIFF")
"""Pillow's names of the formats that are read, whatever the suffix. Others start programs (EPS) or
may change the pixels (GIF, WebP)."""

LOSSY = ("JPEG", "MPO")
"""Formats whose compression changes the values. Pillow opens a JPEG with further pictures, as some
cameras write it, as MPO."""

# 16-bit, integer and float images would be clipped, not scaled, by a conversion to RGB.
_EIGHT_BIT_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})
_MASK_MODES = frozenset({"L", "P"})
SIXTEEN_BIT_GREY = ("I", "I;16", "I;16B", "I;16L")
"""Pillow's modes of 16-bit grey images."""
_EIGHT = 8
_PNG_BIT_DEPTH = 24  # offset of the byte in the file
_TIFF_BITS_PER_SAMPLE = 258  # tag
_TIFF_TILE = (322, 323)  # tags: width and height
_MOST_VALUES_NAMED = 8
_OPENING = threading.Lock()


class Problem(NamedTuple):
    """One thing that is wrong with one file.

    Attributes:
      path: the file, as the user knows it.
      reason: what is wrong with it, without the path.
    """

    path: str
    reason: str


class DataError(Exception):
    """Files that cannot be used; its text is the complete report.

    Args:
      problems: all problems, as `(path, reason)`; at least one.
      remedy: what the user should do.

    Attributes:
      problems: the problems as a tuple of `Problem`, control characters escaped.
      remedy: as given.

    Example:
      >>> print(DataError([("a.png", "the file is empty")]))
      1 problem in the files; nothing was written.
        a.png: the file is empty
      Repair or remove the files named above, then build again.
    """

    def __init__(
        self,
        problems: Iterable[tuple[str, str]],
        remedy: str = "Repair or remove the files named above, then build again.",
    ) -> None:
        self.problems = tuple(
            Problem(shown(str(path)), "\n".join(map(shown, reason.split("\n"))))
            for path, reason in problems
        )
        self.remedy = remedy
        if not self.problems:
            raise ValueError("A DataError needs at least one problem.")
        # All arguments go to the base class, so that the error survives pickling.
        super().__init__(self.problems, remedy)

    def __str__(self) -> str:
        count = len(self.problems)
        head = f"{count} problem{'s' if count > 1 else ''} in the files; nothing was written."
        lines = (f"  {problem.path}: {problem.reason}" for problem in self.problems)
        return "\n".join([head, *lines, self.remedy])


class NothingFoundError(DataError):
    """Missing raw data.

    The first problem says so; the others are incomplete layouts and unreadable archives.
    """

    @property
    def is_plain(self) -> bool:
        """Whether there are no incomplete layouts or unreadable archives."""
        return len(self.problems) == 1


class UnreadableError(ValueError):
    """One file that cannot be decoded; its text is the reason, without the path."""


def read_bytes(source: Source) -> bytes:
    """Returns the encoded bytes of a source.

    Raises:
      OSError: if the source is a path that cannot be read, is not a file, or is too large.
    """
    return source if isinstance(source, bytes) else read_regular(source)


def read_image(source: Source) -> np.ndarray:
    """Decodes a whole image to RGB.

    Grey images are repeated over the three channels, palettes are resolved and transparency is
    dropped. An EXIF orientation is *not* applied: the pixels stay aligned with the mask.

    Args:
      source: path or bytes, in one of `FORMATS`.

    Returns:
      uint8 [H, W, 3], RGB, values 0..255.

    Raises:
      UnreadableError: if the file is empty, truncated, damaged or no image, has more than 8 bits
        per channel or more than `MOST_PIXELS` pixels.
    """
    return rgb(decode(source))


def rgb(image: Image.Image) -> np.ndarray:
    """The pixels of a decoded image, uint8 [H, W, 3].

    Raises:
      UnreadableError: if it has more than 8 bits per channel.
    """
    if image.mode not in _EIGHT_BIT_MODES:
        raise UnreadableError(
            f"the image has mode {image.mode!r}, more than 8 bits per channel; scale it to 8 bits"
        )
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def read_mask(source: Source) -> np.ndarray:
    """Decodes a whole mask to class ids.

    In a palette image the ids are the palette indices, as in Pascal VOC; the colours are ignored.

    Args:
      source: path or bytes; a single-channel 8-bit image.

    Returns:
      uint8 [H, W], one class id per pixel, `IGNORE` where there is no label.

    Raises:
      UnreadableError: if the file cannot be decoded (see `read_image`) or is not single-channel
        8-bit.
    """
    mask = decode(source)
    if mask.mode not in _MASK_MODES:
        raise UnreadableError(
            f"the mask is not single-channel 8-bit (its mode is {mask.mode!r}); "
            "write class ids as an 8-bit greyscale or palette PNG"
        )
    return np.array(mask)


def check_pair(
    image: bytes | None,
    mask: bytes | None,
    num_classes: int,
    *,
    image_path: str,
    mask_path: str | None,
    decode_image: Decoder = read_image,
    decode_mask: Decoder = read_mask,
) -> list[Problem]:
    """Returns everything that is wrong with an image and its mask; an empty list if nothing is.

    Args:
      image: the encoded image; None if it is missing.
      mask: the encoded mask; None if it is missing.
      num_classes: masks may hold the ids 0..num_classes - 1 and `IGNORE`.
      image_path: name of the image in reports.
      mask_path: name of the mask in reports; None for an image that needs none.
      decode_image: bytes to uint8 [H, W, 3]; raises `UnreadableError`.
      decode_mask: bytes to class ids uint8 [H, W]; raises `UnreadableError`.

    Returns:
      Problems with these reasons: missing mask, missing image, unreadable or truncated file, mask
      that its decoder refuses, sizes that differ, mask values that are no class.
    """
    problems: list[Problem] = []
    if image is None and mask is None:
        problems.append(Problem(image_path, "missing image"))
        if mask_path is not None:
            problems.append(Problem(mask_path, "missing mask"))
        return problems
    if image is None:
        assert mask_path is not None
        problems.append(Problem(mask_path, f"missing image: this mask belongs to {image_path}"))
    if mask is None and mask_path is not None:
        problems.append(Problem(image_path, f"missing mask: expected {mask_path}"))

    image_size = mask_size = None
    if image is not None:
        try:
            image_size = decode_image(image).shape[:2]
        except UnreadableError as error:
            problems.append(Problem(image_path, str(error)))
    if mask is not None and mask_path is not None:
        try:
            ids = decode_mask(mask)
        except UnreadableError as error:
            problems.append(Problem(mask_path, str(error)))
        else:
            mask_size = ids.shape
            problems += [Problem(mask_path, reason) for reason in _value_reasons(ids, num_classes)]
        if image_size and mask_size and image_size != mask_size:
            reason = (
                f"the mask is {_size(mask_size)} but its image {image_path} is {_size(image_size)}"
            )
            problems.append(Problem(mask_path, reason))
    return problems


def decode(source: Source) -> Image.Image:
    """Returns the image with all of its pixels decoded.

    Raises:
      UnreadableError: the file is empty, damaged or no image, has too many pixels, holds several
        images, or has more than 8 bits per channel without being grey, which Pillow would
        convert silently.
    """
    try:
        data = read_bytes(source)
        with open_image(data) as image:
            kind, frames = image.format, getattr(image, "n_frames", 1)
            bits = _bits(image, data)
            image.verify()  # PNG: the checksums of all chunks; it leaves the image unusable.
        with open_image(data) as image:
            image.load()
    except UnreadableError:
        raise
    except Exception as error:  # Damaged files make decoders raise errors of many types.
        raise UnreadableError(f"cannot be read: {_reason(error)}") from error
    if kind in LOSSY and not _jpeg_is_complete(data):
        raise UnreadableError("cannot be read: truncated JPEG, it has no end marker")
    if frames > 1 and kind != "MPO":
        raise UnreadableError(f"holds {frames} images; save each as a file of its own")
    if bits > _EIGHT and image.mode in _EIGHT_BIT_MODES:
        raise UnreadableError(
            f"has {bits} bits per channel and is not plain grey; save it with 8 bits per channel"
        )
    return image


def open_image(data: bytes) -> Image.Image:
    """Opens an image and reads its format and size, without decoding its pixels.

    Raises:
      UnreadableError: it is empty, not in one of `FORMATS`, damaged, or has too many pixels.
    """
    if not data:
        raise UnreadableError("the file is empty")
    try:
        image = _open(data)
        sides = [image.size]
        if image.format == "TIFF":
            tile = [image.tag_v2.get(tag, 0) for tag in _TIFF_TILE]  # type: ignore[attr-defined]
            sides.append((int(tile[0]), int(tile[1])))
    except Exception as error:
        raise UnreadableError(f"cannot be read: {_reason(error)}") from error
    for width, height in sides:
        if width * height > MOST_PIXELS:
            raise UnreadableError(
                f"has {width}x{height} pixels (width x height), {width * height / 1e6:.1f} "
                f"megapixels; at most {MOST_PIXELS / 1e6:.1f} are read: cut or scale it"
            )
    return image


def _open(data: bytes) -> Image.Image:
    """Pillow's `open` without Pillow's warning of sizes that are allowed here."""
    with _pixel_limit_of_pillow_lifted():
        return Image.open(io.BytesIO(data), formats=FORMATS)


@contextlib.contextmanager
def _pixel_limit_of_pillow_lifted() -> Iterator[None]:
    """Removes Pillow's limit, which is global to the process, within the context.

    One thread at a time can enter it.
    """
    with _OPENING:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _bits(image: Image.Image, data: bytes) -> int:
    """Bits per channel as the file states them; 8 if its format has no others."""
    if image.format == "PNG":
        return data[_PNG_BIT_DEPTH]
    if image.format == "TIFF":
        stated = image.tag_v2.get(_TIFF_BITS_PER_SAMPLE, _EIGHT)  # type: ignore[attr-defined]
        return int(max(stated) if isinstance(stated, tuple) else stated)
    return _EIGHT


def _jpeg_is_complete(data: bytes) -> bool:
    """Whether an end marker follows the last scan.

    libjpeg decodes trailing zeros, as of an incomplete download, as image data without an error.
    Inside a scan the byte 0xFF is always escaped, so neither marker occurs by chance.
    """
    start_of_scan, end_of_image = b"\xff\xda", b"\xff\xd9"
    return data.rfind(end_of_image) > data.rfind(start_of_scan)


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        # Pillow's own text names a memory address.
        return "not an image of a format that is read (PNG, JPEG, BMP, TIFF), or a damaged one"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _value_reasons(ids: np.ndarray, num_classes: int) -> Sequence[str]:
    values = np.unique(ids)
    wrong = values[(values >= num_classes) & (values != IGNORE)].tolist()
    if not wrong:
        return []
    named = ", ".join(map(str, wrong[:_MOST_VALUES_NAMED]))
    more = f" and {len(wrong) - _MOST_VALUES_NAMED} more" if len(wrong) > _MOST_VALUES_NAMED else ""
    return [
        f"the mask holds the values {named}{more}; allowed are the class ids "
        f"0..{num_classes - 1} and {IGNORE} (ignore)"
    ]


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]} (width x height)"
