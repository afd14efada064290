"""Checksums of arrays, to detect damaged checkpoints."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from uaps_jax.trees import named_leaves


def of(tree: Any) -> dict[str, int]:
    """Name -> CRC-32 of the bytes, the shape and the type of every array of a tree."""
    return {name: _checksum(np.asarray(leaf)) for name, leaf in named_leaves(tree).items()}


def of_text(text: str) -> int:
    return zlib.crc32(text.encode())


def differences(tree: Any, expected: Mapping[str, int]) -> list[str]:
    """Names of the arrays that differ from `expected`, are missing, or are not in it."""
    actual = of(tree)
    names = sorted(actual.keys() | expected.keys())
    return [name for name in names if actual.get(name) != expected.get(name)]


def _checksum(array: np.ndarray) -> int:
    header = f"{array.shape} {array.dtype}".encode()
    return zlib.crc32(
        np.ascontiguousarray(array).view(np.uint8).reshape(-1).data, zlib.crc32(header)
    )
