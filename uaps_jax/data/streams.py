"""The batches of a run, a pure function of the seed and the step.

`order.batch_indices` gives the rows of each step. If the training images are in device memory, only
these row numbers are transferred; otherwise, threads of Grain decode the images some steps ahead.
Both give the same images, whatever the number of threads, also after a resume.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

import grain
import numpy as np

from uaps_jax.config import Config
from uaps_jax.data import order
from uaps_jax.data.source import Files, Images, Pool
from uaps_jax.stream import Stream

PREFETCHED_BATCHES = 8  # decoded ahead of the training step


def batch_rows(
    config: Config, streams: Mapping[str, Stream], pools: Mapping[str, Images], step: int
) -> dict[str, np.ndarray]:
    """Stream -> rows of its pool in the batch of a step, int32 `[B]`.

    Args:
      config: `train.seed` is used.
      streams: by name.
      pools: name -> images.
      step: 0-based.
    """
    return {
        name: order.batch_indices(
            seed=config.train.seed,
            stream=name,
            step=step,
            batch=stream.batch,
            size=len(pools[stream.pool].names),
        )
        for name, stream in streams.items()
    }


def batch_names(
    config: Config, streams: Mapping[str, Stream], pools: Mapping[str, Images], step: int
) -> dict[str, list[str]]:
    """Stream -> names of the images in the batch of a step; arguments as for `batch_rows`."""
    chosen = batch_rows(config, streams, pools, step)
    return {s: [pools[streams[s].pool].names[i] for i in rows] for s, rows in chosen.items()}


def batch(
    config: Config,
    streams: Mapping[str, Stream],
    pools: Mapping[str, Images],
    step: int,
    *,
    process: int = 0,
    processes: int = 1,
) -> dict[str, dict[str, np.ndarray]]:
    """The part of a step's batch that a process reads, in the form of `decoded_batches`.

    Args:
      config: as for `batch_rows`.
      streams: likewise.
      pools: likewise.
      step: likewise.
      process: index of the process.
      processes: their number.
    """
    chosen = batch_rows(config, streams, pools, step)
    return {
        name: _stack(
            pools[stream.pool], process_rows(chosen[name], process, processes), stream.fields
        )
        for name, stream in streams.items()
    }


def process_rows(indices: np.ndarray, process: int, processes: int) -> np.ndarray:
    """The consecutive rows of a batch that one of several processes reads.

    Raises:
      ValueError: the size of the batch is not a multiple of the number of processes.
    """
    if len(indices) % processes:
        raise ValueError(
            f"a batch of {len(indices)} images cannot be divided over {processes} processes: set "
            "train.batch_labeled and train.batch_unlabeled to multiples of their number"
        )
    size = len(indices) // processes
    return indices[process * size : (process + 1) * size]


def decoded_batches(
    config: Config,
    streams: Mapping[str, Stream],
    pools: Mapping[str, Files],
    start: int,
    *,
    process: int,
    processes: int,
) -> Iterator[dict[str, dict[str, np.ndarray]]]:
    """Batches from files, from step `start` to the last.

    Args:
      config: seed, number of steps and number of threads.
      streams: by name.
      pools: name -> images.
      start: the first step.
      process: index of this process.
      processes: their number; each reads its own rows of every batch.

    Yields:
      stream -> its fields: image uint8 `[b, H, W, C]`, mask and weight uint8 `[b, H, W]`, and the
        rows in the pool, index int32 `[b]`.
    """

    def read(step: int) -> dict[str, dict[str, np.ndarray]]:
        return batch(config, streams, pools, step, process=process, processes=processes)

    # Threads on all processors would slow down the training step.
    threads = config.data.stream_threads or max(1, (os.cpu_count() or 1) // 2)
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=PREFETCHED_BATCHES)
    steps = grain.MapDataset.source(range(start, config.train.steps))
    yield from steps.map(read).to_iter_dataset(options)


def _stack(pool: Images, indices: np.ndarray, fields: Sequence[str]) -> dict[str, np.ndarray]:
    if isinstance(pool, Pool):
        known = pool.fields
        return {"index": indices, **{field: known[field][indices] for field in fields}}
    loaded = [pool.load(pool.names[i]) for i in indices]
    return {"index": indices, **{f: np.stack([image[f] for image in loaded]) for f in fields}}
