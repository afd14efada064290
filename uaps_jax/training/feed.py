"""Batches on the devices, from images in device memory or from images streamed by the host.

Both give the step the same arrays with the same shardings, so that it computes the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import jax

from uaps_jax import compiler
from uaps_jax.config import Config
from uaps_jax.data import streams as streams_lib
from uaps_jax.data.source import Files, Images, Pool
from uaps_jax.stream import Stream
from uaps_jax.training import sharding
from uaps_jax.training.sharding import Shardings
from uaps_jax.trees import Tree


def batches(
    config: Config,
    streams: Mapping[str, Stream],
    pools: Mapping[str, Images],
    start: int,
    shards: Shardings,
) -> Iterator[Tree]:
    """Batches from step `start` to the last, divided over the devices.

    Args:
      config: seed, number of steps and of threads.
      streams: by name.
      pools: name -> images: all in memory, then copied to every device, or all in files, then read
        by threads some steps ahead.
      start: the first step.
      shards: of the batch and of everything else.

    Yields:
      stream -> its fields, image uint8 `[B, H, W, C]`, mask and weight uint8 `[B, H, W]`, and the
        rows, index int32 `[B]`.
    """
    files = {name: pool for name, pool in pools.items() if isinstance(pool, Files)}
    if not files:
        images = sharding.place(resident(streams, pools), shards.replicated)
        show = make_show_function(streams, shards)
        for step in range(start, config.train.steps):
            rows = streams_lib.batch_rows(config, streams, pools, step)
            yield show(images, sharding.place(rows, shards.batch))
        return
    for batch in streams_lib.decoded_batches(
        config,
        streams,
        files,
        start,
        process=jax.process_index(),
        processes=jax.process_count(),
    ):
        yield jax.tree.map(
            lambda rows: jax.make_array_from_process_local_data(shards.batch, rows), batch
        )


def resident(streams: Mapping[str, Stream], pools: Mapping[str, Images]) -> Tree:
    """Pool -> the fields that streams read from it, `[N, H, W, ...]`, for the devices."""
    arrays = {name: pool.fields for name, pool in pools.items() if isinstance(pool, Pool)}
    read = {(stream.pool, field) for stream in streams.values() for field in stream.fields}
    return {
        pool: {field: array for field, array in fields.items() if (pool, field) in read}
        for pool, fields in arrays.items()
    }


def make_show_function(
    streams: Mapping[str, Stream], shards: Shardings
) -> Callable[[Tree, Mapping[str, jax.Array]], Tree]:
    """Compiles `(images, rows) -> batch`, where rows is an int32 `[B]` per stream."""

    def show(images: Tree, rows: Mapping[str, jax.Array]) -> Tree:
        return {
            name: {field: images[stream.pool][field][rows[name]] for field in stream.fields}
            | {"index": rows[name]}
            for name, stream in streams.items()
        }

    shown: Callable[[Tree, Mapping[str, jax.Array]], Tree] = compiler.jit_optimized(
        show, out_shardings=shards.batch
    )
    return shown
