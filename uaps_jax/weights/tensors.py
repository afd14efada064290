"""Tensors of PyTorch as views of their storages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from uaps_jax.weights.errors import WeightsError, damaged

DTYPES: Mapping[str, np.dtype[Any]] = {
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    **{
        name: np.dtype(name)
        for name in (
            *("float16", "float32", "float64", "bool"),
            *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        )
    },
}
"""PyTorch's name of an element type -> the type."""

MOST_AXES = 64  # of PyTorch and of numpy
LARGEST = 2**63 - 1


class Storage(NamedTuple):
    """A one-dimensional piece of memory, which several tensors may share."""

    dtype: str
    key: str
    length: int  # elements

    def __setstate__(self, state: object) -> None:
        raise damaged()


class Tensor(NamedTuple):
    """A view of a storage, not checked; offset and strides count elements."""

    storage: Storage
    dtype: str
    offset: Any
    shape: Any
    strides: Any

    def __setstate__(self, state: object) -> None:
        """Ignores hooks and Python attributes, which parameters may have in a pickle."""


def elements(raw: bytes, dtype: str) -> np.ndarray:
    """The elements of a storage `[N]`, read-only; bfloat16 becomes float32.

    Bytes behind the last whole element are left out.
    """
    kind = DTYPES[dtype]
    values = np.frombuffer(raw, kind, len(raw) // kind.itemsize)
    if dtype == "bfloat16":
        values = values.astype(np.float32)
        values.flags.writeable = False
    return values


def check_counts(counts: Any) -> None:
    """Checks a shape or the strides that a file states.

    Raises:
      WeightsError: it is not a sequence of counts, one for each axis.
    """
    if not isinstance(counts, tuple | list) or len(counts) > MOST_AXES:
        raise damaged()
    if not all(is_count(count) for count in counts):
        raise damaged()


def is_count(value: Any) -> bool:
    """Whether it is an integer from 0 to 2^63 - 1, and no boolean."""
    return type(value) is int and 0 <= value <= LARGEST


def view(values: np.ndarray, offset: Any, shape: Any, strides: Any) -> np.ndarray:
    """A read-only view of the elements of a storage.

    Args:
      values: `[N]`.
      offset: of the first element, in elements.
      shape: of the view.
      strides: for each axis, in elements.

    Raises:
      WeightsError: the view reaches outside of the storage, has a negative stride or offset, or
        has more elements than the storage, that is, repeats some.
    """
    check_counts(shape)
    check_counts(strides)
    if len(shape) != len(strides) or not is_count(offset):
        raise damaged()
    count = math.prod(shape)
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if count and last >= values.size:
        raise damaged(f"a tensor of shape {tuple(shape)} reaches outside of its storage")
    if count > values.size:
        raise WeightsError(
            f"has a tensor of shape {tuple(shape)} that repeats the elements of its storage: save "
            "it after `tensor.contiguous()`"
        )
    width = values.dtype.itemsize
    places = [stride * width for stride in strides] if count else None
    try:
        return np.ndarray(shape, values.dtype, values, offset * width if count else 0, places)
    except (ValueError, OverflowError) as error:  # also numpy's own check of the bounds
        raise damaged() from error
