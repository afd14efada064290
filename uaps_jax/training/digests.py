"""Checksums of arrays, by which a damaged checkpoint is told from a sound one."""

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
    """CRC-32 of a text."""
    return zlib.crc32(text.encode())


def differences(tree: Any, expected: Mapping[str, int]) -> list[str]:
    """Names of the arrays that are not what they were, that are missing, or that are new."""
    found = of(tree)
    names = sorted(found.keys() | expected.keys())
    return [name for name in names if found.get(name) != expected.get(name)]


def _checksum(array: np.ndarray) -> int:
    about = f"{array.shape} {array.dtype}".encode()
    return zlib.crc32(
        np.ascontiguousarray(array).view(np.uint8).reshape(-1).data, zlib.crc32(about)
    )
