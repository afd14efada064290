"""From nested dicts of tensors to a flat dict of arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from uaps_jax.weights.errors import WeightsError, damaged
from uaps_jax.weights.tensors import DTYPES, Storage, Tensor, elements, view

DEEPEST = 32
LONGEST = 1000  # characters of a name
MOST_ENTRIES = 100_000


class Source(NamedTuple):
    """The content of a file of PyTorch."""

    tree: Any  # nested dicts with `Tensor`s
    raw: Callable[[Storage], bytes]


def arrays(source: Source) -> dict[str, np.ndarray]:
    """Name -> array, a read-only view of its storage; names of nested dicts are joined by ".".

    Only tensors below string keys are read, so that numbers, strings, lists and the state of an
    optimizer, whose keys are integers, are left out.

    Raises:
      WeightsError: there is no such tensor, or one reaches outside of its storage.
    """
    read: dict[tuple[str, str], np.ndarray] = {}
    found: dict[str, np.ndarray] = {}
    for name, tensor in named_tensors(source.tree):
        if name in found:
            raise damaged(f"the name {name!r} twice")
        part = (tensor.storage.key, tensor.dtype)
        if part not in read:
            read[part] = storage_elements(source.raw(tensor.storage), tensor)
        found[name] = view(read[part], tensor.offset, tensor.shape, tensor.strides)
    if not found:
        raise WeightsError("holds no tensor with a name: save a state dictionary")
    return found


def storage_elements(raw: bytes, tensor: Tensor) -> np.ndarray:
    """The elements of the storage of a tensor, `[N]`.

    Raises:
      WeightsError: there are fewer bytes than the storage has elements.
    """
    size = tensor.storage.length * DTYPES[tensor.storage.dtype].itemsize
    if size > len(raw):
        raise damaged()
    return elements(raw[:size], tensor.dtype)


def named_tensors(tree: Any) -> Iterator[tuple[str, Tensor]]:
    """The tensors of nested dicts with their names, in the order of the file.

    Raises:
      WeightsError: a limit on depth, entries and names is exceeded: a dict may contain itself.
    """
    waiting: list[tuple[str, Any, int]] = [("", tree, 0)]
    seen = 0
    while waiting:
        name, node, depth = waiting.pop()
        if isinstance(node, Tensor):
            if depth:
                yield name, node
        elif isinstance(node, dict):
            seen += len(node)
            if depth >= DEEPEST or seen > MOST_ENTRIES:
                raise damaged("its dictionaries are nested without end")
            prefix = f"{name}." if depth else ""
            items = [(f"{prefix}{key}", value) for key, value in node.items() if type(key) is str]
            if any(len(longer) > LONGEST for longer, _ in items):
                raise damaged(f"a name of more than {LONGEST} characters")
            waiting.extend((longer, value, depth + 1) for longer, value in reversed(items))
