"""Data parallelism: the batch is divided over the devices, everything else is replicated."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from uaps_jax.config import Config, ConfigError
from uaps_jax.stream import Stream


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shardings:
    """The shardings of a run.

    Attributes:
      mesh: one axis, `data`; Auto, because Dropout cannot be traced with Explicit axes.
      replicated: a copy on each device.
      batch: rows divided over the devices.
    """

    mesh: Mesh
    replicated: NamedSharding
    batch: NamedSharding


def over_devices(count: int | None = None) -> Shardings:
    """Shardings over the first `count` devices, or all."""
    devices = jax.devices()[:count]
    mesh = jax.make_mesh((len(devices),), ("data",), (AxisType.Auto,), devices=devices)
    return Shardings(
        mesh=mesh,
        replicated=NamedSharding(mesh, PartitionSpec()),
        batch=NamedSharding(mesh, PartitionSpec("data")),
    )


def place(tree: Any, sharding: NamedSharding) -> Any:
    """Arrays of the host or of this process, put on a sharding.

    All processes must have the same values.
    """
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return _jitted_identity(sharding)(tree)


@functools.cache
def _jitted_identity(sharding: NamedSharding) -> Callable[[Any], Any]:
    return jax.jit(lambda tree: tree, out_shardings=sharding)


def check_batches(config: Config, streams: Iterable[Stream], shardings: Shardings) -> None:
    """Checks that the batches of these streams, or their pieces, are divisible over the devices.

    Raises:
      ConfigError: some are not; lists their keys and the number of devices.
    """
    devices, pieces = shardings.mesh.size, config.train.accumulate
    wanted = devices * pieces
    problems = [
        f"train.batch_{pool} = {size}" if size == given else f"a batch of {size} {pool} images"
        for pool, size in sorted({(stream.pool, stream.batch) for stream in streams})
        if size % wanted
        for given in (getattr(config.train, f"batch_{pool}"),)
    ]
    if problems:
        times = f" times train.accumulate = {pieces}" if pieces > 1 else ""
        raise ConfigError(
            f"{' and '.join(problems)}: must be a multiple of the {devices} devices in use{times} "
            "(CUDA_VISIBLE_DEVICES=0 leaves one)"
        )
