"""Which format a file of weights has, by its content."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from uaps_jax.weights import safetensors_file, torch_file, torch_zip
from uaps_jax.weights.errors import WeightsError, reading
from uaps_jax.weights.torch_legacy import MAGIC

HEAD = 512  # bytes that are enough to recognise a format
MAGIC_NUMBER = b"\x8a\x0a" + MAGIC.to_bytes(10, "little")  # as a pickle writes it

Reader = Callable[[str | os.PathLike[str]], dict[str, np.ndarray]]


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Name -> array of a file of PyTorch (`torch.save`) or of safetensors.

    The content decides, not the suffix. Names of nested dicts are joined by ".", as in
    `model.module.conv1.weight`; `to_variables` finds the part that a network needs. The arrays are
    read-only and not always contiguous. bfloat16 becomes float32, other types stay.

    Raises:
      WeightsError: the file does not exist, is damaged, has another format, holds no named tensor,
        or is a pickle that names something other than tensors and containers.
    """
    with reading(path), Path(path).open("rb") as file:
        reader = recognised(file.read(HEAD))
    return reader(path)


def recognised(head: bytes) -> Reader:
    """The function that reads files with these first bytes.

    Raises:
      WeightsError: no format begins like this.
    """
    if head.startswith(torch_zip.FIRST) or MAGIC_NUMBER in head[:32]:
        return torch_file.read
    if head[8:9] == b"{" and not head.startswith(b"\x80"):
        return safetensors_file.read
    raise WeightsError(other(head))


def other(head: bytes) -> str:
    """What a file is that has none of the formats, and what to do."""
    if not head:
        return "is empty: fetch or copy the file again"
    if head.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the file itself: run `git lfs pull` in its repository"
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "is a web page, not a file of weights: fetch the file that the page links to"
    if head[257:262] == b"ustar":
        return (
            "is a tar archive, the format of the first versions of PyTorch: load it with a newer "
            "version and `torch.save` the state dictionary"
        )
    if head.startswith(b"\x80"):
        return "is a pickle, but not one of `torch.save`, and is not executed"
    return "is not a file of weights: give a file of `torch.save` or a .safetensors file"
