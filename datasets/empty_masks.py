"""Leaves out the images whose masks mark nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from uaps_jax.datasets.common import UnreadableError
from uaps_jax.datasets.file_trees import Read
from uaps_jax.datasets.segmentation_builder import Example, RawData


def without_empty(raw: RawData, decode_mask: Callable[[bytes, Example], np.ndarray]) -> RawData:
    """The data without the images whose mask is all background.

    An image whose mask is missing or cannot be read stays, so that it is reported.
    """
    with raw.tree.reading() as read:
        kept = [e for e in raw.examples if not _is_empty(e, read, decode_mask)]
    return dataclasses.replace(raw, examples=kept)


def _is_empty(
    example: Example, read: Read, decode_mask: Callable[[bytes, Example], np.ndarray]
) -> bool:
    if example.mask is None:
        return example.clean
    try:
        return not decode_mask(read(example.mask), example).any()
    except (OSError, UnreadableError):
        return False
