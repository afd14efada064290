"""The batches of a run, as a pure function of the seed and the step.

Which rows a step shows is decided once (`order.batch_indices`). Where the training images live on
the devices, the rows' numbers are all that is handed over; otherwise Grain's threads decode the
rows themselves, some steps ahead. Both show the same images, and neither the number of threads nor
a restart changes them.
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

AHEAD = 8  # batches that are decoded before they are asked for


def rows(
    config: Config, streams: Mapping[str, Stream], pools: Mapping[str, Images], step: int
) -> dict[str, np.ndarray]:
    """Rows of its pool that each stream shows at a step, int32 `[B]`.

    Args:
      config: the seed.
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


def names(
    config: Config, streams: Mapping[str, Stream], pools: Mapping[str, Images], step: int
) -> dict[str, list[str]]:
    """Names of the images that each stream shows at a step; arguments as for `rows`."""
    chosen = rows(config, streams, pools, step)
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
    """The batch of a step on the host, or a process's share of it, as `decoded` gives it.

    The first arguments are those of `rows`.
    """
    chosen = rows(config, streams, pools, step)
    return {
        name: _stack(pools[stream.pool], share(chosen[name], process, processes), stream.fields)
        for name, stream in streams.items()
    }


def share(indices: np.ndarray, process: int, processes: int) -> np.ndarray:
    """The part of a batch that one of several processes reads: consecutive rows, all different.

    Raises:
      ValueError: the batch does not divide.
    """
    if len(indices) % processes:
        raise ValueError(f"a batch of {len(indices)} does not divide over {processes} processes")
    size = len(indices) // processes
    return indices[process * size : (process + 1) * size]


def decoded(
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
      config: seed, number of steps and of threads.
      streams: by name.
      pools: name -> images.
      start: the first step.
      process: which of the processes this is.
      processes: their number; each gets its own rows of every batch.

    Yields:
      stream -> its fields, image uint8 `[b, H, W, C]` and mask uint8 `[b, H, W]`, and the rows,
        index int32 `[b]`.
    """

    def read(step: int) -> dict[str, dict[str, np.ndarray]]:
        return batch(config, streams, pools, step, process=process, processes=processes)

    # Threads that want every processor would take them from the step.
    threads = config.data.stream_threads or max(1, (os.cpu_count() or 1) // 2)
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=AHEAD)
    steps = grain.MapDataset.source(range(start, config.train.steps))
    yield from steps.map(read).to_iter_dataset(options)


def _stack(pool: Images, indices: np.ndarray, fields: Sequence[str]) -> dict[str, np.ndarray]:
    if isinstance(pool, Pool):
        images, masks = pool.images[indices], pool.masks[indices]
    else:
        loaded = zip(*(pool.load(pool.names[i]) for i in indices), strict=True)
        images, masks = map(np.stack, loaded)
    known = {"image": images, "mask": masks}
    return {"index": indices, **{field: known[field] for field in fields}}
