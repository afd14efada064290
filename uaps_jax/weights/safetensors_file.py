"""Files in the format safetensors.

Eight bytes, little-endian, give the length of a JSON object: name -> element type, shape, and the
begin and end of the elements in the bytes that follow it. These have no holes and no overlaps.
Format: https://github.com/safetensors/safetensors#format
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from uaps_jax.weights.errors import WeightsError, damaged, parsing, reading
from uaps_jax.weights.tensors import DTYPES, check_counts, elements, is_count

NAMES: Mapping[str, str] = {
    "BF16": "bfloat16",
    "BOOL": "bool",
    **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
}
"""An element type in the header -> PyTorch's name of it."""

LONGEST_HEADER = 100_000_000  # bytes, as in the library of the format


class Entry(NamedTuple):
    """An array of the header; begin and end count bytes after the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Name -> array, read-only. bfloat16 becomes float32, other types stay.

    Raises:
      WeightsError: the file does not exist, is damaged, or holds no array or one of another type.
    """
    with reading(path), parsing(), Path(path).open("rb") as file:
        size = Path(path).stat().st_size
        entries = parsed(header(file, size))
        check_places(entries, size - file.tell())
        return {name: array(file.read(e.end - e.begin), e) for name, e in entries.items()}


def header(file: BinaryIO, size: int) -> dict[str, Any]:
    """The JSON object at the beginning of a file of `size` bytes."""
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, LONGEST_HEADER):
        raise damaged()
    content = json.loads(file.read(length))
    if not isinstance(content, dict):
        raise damaged()
    return content


def parsed(content: dict[str, Any]) -> dict[str, Entry]:
    """Name -> entry of the header, in the order of their elements in the file."""
    found = {name: entry(name, value) for name, value in content.items() if name != "__metadata__"}
    if not found:
        raise WeightsError("holds no arrays")
    return dict(sorted(found.items(), key=lambda item: (item[1].begin, item[1].end)))


def entry(name: str, value: Any) -> Entry:
    """Checks an entry by itself."""
    match value:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [begin, end]}:
            pass
        case _:
            raise damaged()
    if dtype not in NAMES:
        raise WeightsError(
            f"array {name[:100]!r} has elements of type {dtype[:20]!r}, which is not read: save it "
            "as F32"
        )
    check_counts(shape)
    size = math.prod(shape) * DTYPES[NAMES[dtype]].itemsize
    if not is_count(begin) or not is_count(end) or end - begin != size:
        raise damaged()
    return Entry(NAMES[dtype], tuple(shape), begin, end)


def check_places(entries: Mapping[str, Entry], size: int) -> None:
    """Checks that the entries, in the order of their elements, fill `size` bytes."""
    reached = 0
    for each in entries.values():
        if each.begin != reached:
            raise damaged()
        reached = each.end
    if reached != size:
        raise damaged()


def array(raw: bytes, entry: Entry) -> np.ndarray:
    return elements(raw, entry.dtype).reshape(entry.shape)
