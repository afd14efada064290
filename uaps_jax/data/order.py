"""The order of images: indices as a pure function of (seed, stream, step)."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_PARTS = 10**6  # shares are whole numbers of millionths, so that no rounding error adds up


class Draw(NamedTuple):
    """The images of a batch.

    Attributes:
      positions: in their stream, int64 `[B]`.
      rows: in their pool, int32 `[B]`.
      holds_defect: whether they are drawn of those with a defect alone, bool `[B]`.
    """

    positions: np.ndarray
    rows: np.ndarray
    holds_defect: np.ndarray


def draw(
    *,
    seed: int,
    stream: str,
    step: int,
    batch: int,
    size: int,
    defective: Sequence[int],
    share: float,
) -> Draw:
    """The images in the batch of a stream at a step, a share of which have a defect.

    Of every n images, `share` * n (for a share such as 1/3, as evenly as whole numbers allow) are
    the next in an order of their own of those with a defect; the others are the next of all images.

    Args:
      seed: as for `batch_indices`.
      stream: likewise.
      step: likewise.
      batch: likewise.
      size: likewise.
      defective: rows of the images with a defect, ascending; empty: all images are drawn alike.
      share: of the batch.

    Raises:
      ValueError: the pool is empty.
    """
    positions = step * batch + np.arange(batch, dtype=np.int64)
    parts = round(share * _PARTS) if len(defective) else 0
    before = positions * parts // _PARTS  # images of `defective`
    holds_defect = (positions + 1) * parts // _PARTS > before
    rows = indices(seed=seed, stream=stream, positions=positions - before, size=size)
    if holds_defect.any():
        places = indices(
            seed=seed, stream=f"{stream}/defects", positions=before, size=len(defective)
        )
        rows = np.where(holds_defect, np.array(defective, np.int32)[places], rows)
    return Draw(positions, rows, holds_defect)


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
