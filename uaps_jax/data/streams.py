"""The batches of a run, a pure function of the seed and the step.

`order.draw` gives the rows of each step. If the training images are in device memory, only
these row numbers are transferred; otherwise, threads of Grain decode the images, or cut crops out
of them, some steps ahead. All give the same images, whatever the number of threads, also after a
resume.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from uaps_jax.config import Config
from uaps_jax.data import crops, order, threads
from uaps_jax.data.crops import Crops
from uaps_jax.data.order import Draw
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
        name: _rows(config, name, stream, pools[stream.pool], step)
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
    own = functools.partial(process_rows, process=process, processes=processes)
    return {
        name: _fields(config, name, stream, pools[stream.pool], step, own)
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
    pools: Mapping[str, Images],
    start: int,
    *,
    process: int,
    processes: int,
) -> Iterator[dict[str, dict[str, np.ndarray]]]:
    """Batches that the host makes, from step `start` to the last.

    Args:
      config: seed, number of steps and number of threads.
      streams: by name.
      pools: name -> images.
      start: the first step.
      process: index of this process.
      processes: their number; each reads its own rows of every batch.

    Returns:
      For each step, stream -> its fields: image uint8 `[b, H, W, C]`, mask and weight uint8
        `[b, H, W]`, and the rows in the pool, index int32 `[b]`.
    """

    def read(step: int) -> dict[str, dict[str, np.ndarray]]:
        return batch(config, streams, pools, step, process=process, processes=processes)

    # Threads on all processors would slow down the training step.
    count = config.data.stream_threads or max(1, (os.cpu_count() or 1) // 2)
    steps = range(start, config.train.steps)
    return threads.mapped(read, steps, ahead=PREFETCHED_BATCHES, count=count)


def _rows(config: Config, name: str, stream: Stream, pool: Images, step: int) -> np.ndarray:
    return _draw(config, name, stream, pool, step).rows


def _draw(config: Config, name: str, stream: Stream, pool: Images, step: int) -> Draw:
    return order.draw(
        seed=config.train.seed,
        stream=name,
        step=step,
        batch=stream.batch,
        size=len(pool.names),
        defective=pool.defective,
        share=config.data.defect_share_of(stream.pool),
    )


def _fields(
    config: Config,
    name: str,
    stream: Stream,
    pool: Images,
    step: int,
    own: Callable[[np.ndarray], np.ndarray],
) -> dict[str, np.ndarray]:
    """The fields of a stream's batch; of each array over its rows, the part that `own` gives."""
    if isinstance(pool, Crops):
        seed = config.train.seed
        drawn = Draw(*map(own, _draw(config, name, stream, pool, step)))
        images, masks = crops.cut_batch(pool, drawn, seed=seed, stream=name)
        cut = {"image": images, "mask": masks}
        return {"index": drawn.rows, **{field: cut[field] for field in stream.fields}}
    indices = own(_rows(config, name, stream, pool, step))
    return {"index": indices, **_stacked(pool, indices, stream.fields)}


def _stacked(
    pool: Pool | Files, indices: np.ndarray, fields: Sequence[str]
) -> dict[str, np.ndarray]:
    if isinstance(pool, Pool):
        known = pool.fields
        return {field: known[field][indices] for field in fields}
    loaded = [pool.load(pool.names[i]) for i in indices]
    return {field: np.stack([image[field] for image in loaded]) for field in fields}
