"""Reading checkpoints of the current and of older formats."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from uaps_jax import config as config_lib
from uaps_jax import external
from uaps_jax.config import Config
from uaps_jax.training import sharding
from uaps_jax.training.checkpoints import formats
from uaps_jax.training.checkpoints.files import CheckpointError, folder, read_arrays, saved_steps
from uaps_jax.training.checkpoints.verify import SMALL_ITEMS, verify
from uaps_jax.training.state import TrainState
from uaps_jax.trees import Tree, named_leaves


def read_config(workdir: Path, step: int) -> Config:
    """The configuration of a checkpoint; registers its method and its network.

    Raises:
      CheckpointError: it cannot be read.
      ConfigError: its method or network was defined by a file that no longer exists.
    """
    verify(workdir, step, ("written_by", "config"))
    path, reader = folder(workdir) / str(step), ocp.JsonCheckpointHandler()
    stored = reader.restore(path / "config")
    if (path / "written_by").is_dir():
        known: dict[str, Collection[str]] = {
            "method": config_lib.METHODS,
            "network": config_lib.NETWORKS,
        }
        external.import_missing(stored, reader.restore(path / "written_by"), known)
    return config_lib.from_stored(stored)


def read_record(workdir: Path, step: int) -> dict[str, Any]:
    """The data record of a checkpoint: build, classes, protocol, and names by part.

    Raises:
      CheckpointError: it has none.
    """
    item = folder(workdir) / str(step) / "data"
    if not item.is_dir():
        raise CheckpointError(f"{item.parent} has no record of the data it was trained on")
    verify(workdir, step, ("data",))
    record: dict[str, Any] = ocp.JsonCheckpointHandler().restore(item)
    return record


def restore_state(
    workdir: Path, like: TrainState, placed: jax.sharding.NamedSharding
) -> TrainState:
    """The latest state, on a sharding; `like` gives its structure, shapes and types.

    Raises:
      CheckpointError: its arrays have other names or shapes; lists them.
    """
    step = saved_steps(workdir)[-1]
    state: TrainState = sharding.place(_restore(workdir, step, "state", like), placed)
    return state


def restore_variables(workdir: Path, step: int, like: Tree) -> Tree:
    """The variables of a checkpoint; `like` gives the expected structure, shapes and types.

    Raises:
      CheckpointError: the checkpoint is damaged, or of another network; lists the arrays that
        differ.
    """
    verify(workdir, step, (*SMALL_ITEMS, "variables"))
    variables: Tree = jax.device_put(_restore(workdir, step, "variables", like), jax.devices()[0])
    return variables


def _restore(workdir: Path, step: int, item: str, like: Any) -> Any:
    """The arrays of an item of any format, in the structure of `like`."""
    path = folder(workdir) / str(step)
    wanted = named_leaves(like)
    stored = named_leaves(read_arrays(path / item))
    arrays = formats.upgraded(stored, _format(path), wanted)
    differences = [
        f"  {name}: the checkpoint has {_shape(arrays.get(name))}, the configuration needs "
        f"{_shape(wanted.get(name))}"
        for name in sorted(arrays.keys() | wanted.keys())
        if _shape(arrays.get(name)) != _shape(wanted.get(name))
    ]
    if differences:
        more = [f"  and {len(differences) - 8} more"] if len(differences) > 8 else []
        raise CheckpointError(
            f"checkpoint {path} is of another network:\n" + "\n".join(differences[:8] + more)
        )
    leaves = [np.asarray(arrays[name]).astype(leaf.dtype) for name, leaf in wanted.items()]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _format(path: Path) -> int:
    """The format of a checkpoint; format 1 does not store it."""
    if not (path / "written_by").is_dir():
        return 1
    return int(ocp.JsonCheckpointHandler().restore(path / "written_by")["format"])


def _shape(array: Any) -> str:
    return "none" if array is None else str(tuple(np.shape(array)))
