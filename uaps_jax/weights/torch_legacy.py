"""Files of `torch.save` before PyTorch 1.6, or with `_use_new_zipfile_serialization=False`.

Five pickles follow each other: a magic number, the version of the protocol, a description of the
machine, the object whose storages are named by keys, and a list of the keys. For each key follow
the number of elements, int64, and the elements.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from uaps_jax.weights import torch_pickle
from uaps_jax.weights.errors import WeightsError, damaged
from uaps_jax.weights.state import Source
from uaps_jax.weights.tensors import DTYPES, Storage

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001


@contextmanager
def opened(path: str | Path) -> Iterator[Source]:
    """The content of a file.

    Raises:
      WeightsError: it is damaged.
    """
    stream = io.BytesIO(Path(path).read_bytes())
    check_head(stream)
    loaded = torch_pickle.load(stream)
    keys = torch_pickle.load(stream).tree
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise damaged()
    if len(set(keys)) < len(keys) or set(keys) != set(loaded.storages):
        raise damaged()
    raw = {key: storage_bytes(stream, loaded.storages[key]) for key in keys}
    yield Source(loaded.tree, lambda storage: raw[storage.key])


def check_head(stream: BinaryIO) -> None:
    """Reads and checks what is before the object."""
    if torch_pickle.load(stream).tree != MAGIC or torch_pickle.load(stream).tree != PROTOCOL:
        raise damaged()
    machine = torch_pickle.load(stream).tree
    if not isinstance(machine, dict):
        raise damaged()
    if machine.get("little_endian") is not True:
        raise WeightsError("was not written on a little-endian machine: save it again on one")


def storage_bytes(stream: io.BytesIO, storage: Storage) -> bytes:
    """Reads the next storage, whose length must be the one that the pickle states."""
    length = int.from_bytes(stream.read(8), "little", signed=True)
    size = storage.length * DTYPES[storage.dtype].itemsize
    if length != storage.length or size > len(stream.getbuffer()) - stream.tell():
        raise damaged()
    return stream.read(size)
