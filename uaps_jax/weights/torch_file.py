"""State dictionaries in files of `torch.save`, read without PyTorch."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from uaps_jax.weights import torch_legacy, torch_zip
from uaps_jax.weights.errors import reading
from uaps_jax.weights.state import arrays


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Name -> array of a `.pth` or `.pt` file, of either format.

    Names of nested dicts are joined by ".". The arrays are read-only views, not always contiguous;
    two of them may share memory. bfloat16 becomes float32, other types stay.

    Raises:
      WeightsError: the file does not exist, is damaged, holds no named tensor, or its pickle names
        something other than tensors and containers.
    """
    with reading(path):
        with Path(path).open("rb") as file:
            is_zip = file.read(4) == torch_zip.FIRST
        with (torch_zip if is_zip else torch_legacy).opened(Path(path)) as source:
            return arrays(source)
