"""One mesh axis, `data`: the batch is divided over the devices, everything else is copied."""

from __future__ import annotations

import dataclasses

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from uaps_jax.config import Config, ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shardings:
    """Where arrays live.

    Attributes:
      mesh: all devices along one axis; Auto, because Dropout does not trace under Explicit axes.
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


def check_batches(config: Config, shardings: Shardings) -> None:
    """Checks that every batch divides over the devices.

    Raises:
      ConfigError: with each key that does not, and the device count.
    """
    devices = shardings.mesh.size
    sizes = {
        "train.batch_labeled": config.train.batch_labeled,
        "train.batch_unlabeled": config.train.batch_unlabeled,
    }
    problems = [f"{key} = {size}" for key, size in sizes.items() if size % devices]
    if problems:
        raise ConfigError(
            f"{' and '.join(problems)}: must be a multiple of the {devices} devices in use"
        )
