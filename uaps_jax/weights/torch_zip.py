"""Files of `torch.save` since PyTorch 1.6: a zip archive.

In a folder of any name it has `data.pkl`, a pickle whose storages are named by keys, `data/KEY`,
the bytes of a storage, and in newer files `byteorder`.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from uaps_jax.weights import torch_pickle
from uaps_jax.weights.errors import WeightsError, damaged, parsing
from uaps_jax.weights.state import Source
from uaps_jax.weights.tensors import Storage

FIRST = b"PK\x03\x04"  # bytes of a zip archive


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Source]:
    """The content of an archive, whose storages are read when they are asked for.

    Raises:
      WeightsError: it is damaged, or another program wrote it.
    """
    with parsing(), zipfile.ZipFile(path) as archive:
        folder = checked_folder(archive, Path(path).stat().st_size)
        tree = torch_pickle.load(io.BytesIO(archive.read(f"{folder}/data.pkl"))).tree

        def raw(storage: Storage) -> bytes:
            return archive.read(f"{folder}/data/{storage.key}")

        yield Source(tree, raw)


def checked_folder(archive: zipfile.ZipFile, size: int) -> str:
    """The name of the folder in an archive of `size` bytes."""
    names = archive.namelist()
    found = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(found) != 1:
        raise WeightsError("is a zip archive, but not one that `torch.save` wrote")
    folder = found[0].removesuffix("/data.pkl")
    if f"{folder}/constants.pkl" in names:
        raise WeightsError(
            "is a program of torch.jit: save the weights alone, "
            "`torch.save(torch.jit.load(file).state_dict(), other)`"
        )
    records = archive.infolist()
    if any(record.compress_type != zipfile.ZIP_STORED for record in records):
        raise WeightsError("has compressed records, which `torch.save` does not write")
    if sum(record.file_size for record in records) > size:
        raise damaged()
    order = f"{folder}/byteorder"
    if order in names and archive.read(order) != b"little":
        raise WeightsError("was not written on a little-endian machine: save it again on one")
    return folder
