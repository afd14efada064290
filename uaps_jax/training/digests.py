"""Checksums of arrays, to detect damaged checkpoints."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np


def of(tree: Any) -> dict[str, int]:
    """Name -> CRC-32 of the bytes, the shape and the type of every array of a tree."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): _checksum(np.asarray(leaf))
        for path, leaf in leaves
    }


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
