"""Checks the size and depth of a MATLAB 5 file before it is read.

SciPy reads nested arrays recursively without a limit. A file of some kilobytes can exhaust the
stack and so end the process without an error.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator

from uaps_jax.datasets.common import UnreadableError

MOST_BYTES = 2**24
"""The largest size of a file and of each unpacked variable; annotations take about a megabyte."""

MOST_ELEMENTS = 1000
"""Arrays, and parts of arrays, in a file; annotations have about twenty."""

_HEADER, _TAG, _FLAGS = 128, 8, 16  # bytes
_MATRIX, _COMPRESSED = 14, 15
_ORDERS = {b"IM": "<", b"MI": ">"}


def check(data: bytes) -> None:
    """Checks that a file is small and simple enough to be read.

    Args:
      data: a MATLAB 5 file, possibly damaged.

    Raises:
      UnreadableError: it is not such a file, or has more bytes or elements than an annotation.
    """
    order = _ORDERS.get(data[126:_HEADER])
    if order is None or 0 in data[:4]:  # MATLAB 4 begins with a small number.
        raise UnreadableError("cannot be read as a MATLAB 5 file: it has no header of one")
    if len(data) > MOST_BYTES:
        raise UnreadableError(f"has {len(data)} bytes; at most {MOST_BYTES} are read")
    for number, _ in enumerate(_elements(data, order), start=1):
        if number > MOST_ELEMENTS:
            raise UnreadableError(
                f"holds more than {MOST_ELEMENTS} arrays and parts of arrays, which no annotation "
                "does; export it anew"
            )


def _elements(data: bytes, order: str) -> Iterator[int]:
    """Yields the type of each element that a reader may reach, at any depth.

    A reader skips a variable by its size, but reads inside it without that limit, so each is
    followed to the end of the file.
    """
    offset = _HEADER
    while offset + _TAG <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, offset)
        yield kind
        if kind == _COMPRESSED:
            yield from _parts(_unpacked(data[offset + _TAG : offset + _TAG + size]), order)
        else:
            yield from _parts(data[offset:], order)
        offset += _TAG + size


def _parts(data: bytes, order: str) -> Iterator[int]:
    """Yields the types of an array, its parts, and the arrays in it, one after the other."""
    offset, dimensions_follow = 0, False
    while offset + _TAG <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, offset)
        yield kind
        offset += _TAG
        if dimensions_follow:  # A reader allocates as many objects as they say.
            _check_dimensions(data[offset : offset + size], order)
        dimensions_follow = kind == _MATRIX and size > 0
        if kind == _MATRIX:  # Its parts follow, after flags that are not checked.
            offset += _FLAGS if size else 0
        elif not kind >> 16:  # Otherwise its few bytes are in the tag.
            offset += size + -size % 8


def _check_dimensions(data: bytes, order: str) -> None:
    """Checks the dimensions of an array, which follow its flags."""
    count = len(data) // 4
    total = math.prod(abs(n) for n in struct.unpack_from(f"{order}{count}i", data))
    if total > MOST_BYTES:
        raise UnreadableError(f"has an array of {total} numbers; at most {MOST_BYTES} are read")


def _unpacked(data: bytes) -> bytes:
    try:
        unpacked = zlib.decompressobj().decompress(data, MOST_BYTES + 1)
    except zlib.error as error:
        raise UnreadableError(f"cannot be read as a MATLAB 5 file: {error}") from error
    if len(unpacked) > MOST_BYTES:
        raise UnreadableError(f"has more than {MOST_BYTES} bytes unpacked, which are not read")
    return unpacked
