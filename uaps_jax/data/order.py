"""The order of images: indices as a pure function of (seed, stream, step)."""

from __future__ import annotations

import functools
import zlib

import numpy as np


def batch_indices(*, seed: int, stream: str, step: int, batch: int, size: int) -> np.ndarray:
    """Rows of the pool in the batch of a stream at a step.

    A stream is an infinite sequence of epochs, each with its own permutation of the pool. Batches
    are consecutive pieces of it and may extend over epochs, so the pool may be smaller than a
    batch.

    Args:
      seed: of the run.
      stream: its name; streams from the same pool have different orders.
      step: 0-based.
      batch: images per step.
      size: images in the pool.

    Returns:
      int32 `[batch]`.

    Raises:
      ValueError: the pool is empty.
    """
    positions = step * batch + np.arange(batch, dtype=np.int64)
    return indices(seed=seed, stream=stream, positions=positions, size=size)


def indices(*, seed: int, stream: str, positions: np.ndarray, size: int) -> np.ndarray:
    """Rows of the pool at some positions of a stream, int32 `[B]`.

    Args:
      seed: of the run.
      stream: its name.
      positions: 0-based, int64 `[B]`.
      size: images in the pool.

    Raises:
      ValueError: the pool is empty.
    """
    if size < 1:
        raise ValueError(f"stream {stream!r} draws from an empty pool")
    epoch, offset = np.divmod(positions, size)
    return np.array(
        [_permutation(seed, stream, int(e), size)[o] for e, o in zip(epoch, offset, strict=True)],
        np.int32,
    )


def evenly_spaced(total: int, count: int) -> np.ndarray:
    """At most `count` of `total` rows, evenly spaced, with the first and the last; int64."""
    return np.unique(np.linspace(0, total - 1, count).round().astype(int))


@functools.lru_cache(maxsize=16)
def _permutation(seed: int, stream: str, epoch: int, size: int) -> np.ndarray:
    entropy = (seed, zlib.crc32(stream.encode()), epoch)
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
    return generator.permutation(size)
