"""Reading checkpoints, of this version and of older ones."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from uaps_jax import config as config_lib
from uaps_jax import outside
from uaps_jax.config import Config
from uaps_jax.training import sharding
from uaps_jax.training.checkpoints import formats
from uaps_jax.training.checkpoints.files import CheckpointError, folder, read_arrays, saved_steps
from uaps_jax.training.checkpoints.verify import SMALL_ITEMS, verify
from uaps_jax.training.state import TrainState
from uaps_jax.trees import Tree


def read_config(workdir: Path, step: int) -> Config:
    """The configuration that a checkpoint was trained with.

    Its method and its network are known from then on.

    Raises:
      CheckpointError: it cannot be read.
      ConfigError: its method or network was made by a file that is not there any more.
    """
    verify(workdir, step, ("written_by", "config"))
    place, reader = folder(workdir) / str(step), ocp.JsonCheckpointHandler()
    stored = reader.restore(place / "config")
    if (place / "written_by").is_dir():
        known: dict[str, Collection[str]] = {
            "method": config_lib.METHODS,
            "network": config_lib.NETWORKS,
        }
        outside.import_missing(stored, reader.restore(place / "written_by"), known)
    return config_lib.from_stored(stored)


def read_record(workdir: Path, step: int) -> dict[str, Any]:
    """Which data a checkpoint was trained on: build, classes, protocol, and names by part.

    Raises:
      CheckpointError: it does not say so.
    """
    item = folder(workdir) / str(step) / "data"
    if not item.is_dir():
        raise CheckpointError(f"{item.parent} does not say which data it was trained on")
    verify(workdir, step, ("data",))
    record: dict[str, Any] = ocp.JsonCheckpointHandler().restore(item)
    return record


def restore_state(
    workdir: Path, like: TrainState, placed: jax.sharding.NamedSharding
) -> TrainState:
    """The latest state, on a sharding; `like` gives its structure, shapes and types.

    Raises:
      CheckpointError: it is of another training; names the arrays that differ.
    """
    step = saved_steps(workdir)[-1]
    state: TrainState = sharding.place(_restore(workdir, step, "state", like), placed)
    return state


def restore_variables(workdir: Path, step: int, like: Tree) -> Tree:
    """The variables of a checkpoint; `like` gives the tree, shapes and types that are expected.

    Raises:
      CheckpointError: the checkpoint is damaged, or of another network; names the arrays that
        differ.
    """
    verify(workdir, step, (*SMALL_ITEMS, "variables"))
    variables: Tree = jax.device_put(_restore(workdir, step, "variables", like), jax.devices()[0])
    return variables


def _restore(workdir: Path, step: int, item: str, like: Any) -> Any:
    """The arrays of an item in the structure of `like`, whatever format they were written in."""
    place = folder(workdir) / str(step)
    paths = [_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(like)]
    wanted = dict(zip(paths, jax.tree.leaves(like), strict=True))
    stored = {
        _name(path): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(read_arrays(place / item))
    }
    arrays = formats.upgraded(stored, _format(place), wanted)
    differences = [
        f"  {name}: the checkpoint has {_shape(arrays.get(name))}, the configuration asks for "
        f"{_shape(wanted.get(name))}"
        for name in sorted(arrays.keys() | wanted.keys())
        if _shape(arrays.get(name)) != _shape(wanted.get(name))
    ]
    if differences:
        more = [f"  and {len(differences) - 8} more"] if len(differences) > 8 else []
        raise CheckpointError(
            f"checkpoint {place} is of another network:\n" + "\n".join(differences[:8] + more)
        )
    leaves = [np.asarray(arrays[name]).astype(wanted[name].dtype) for name in paths]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _format(place: Path) -> int:
    """The format of a checkpoint; the first ones do not say it."""
    if not (place / "written_by").is_dir():
        return 1
    return int(ocp.JsonCheckpointHandler().restore(place / "written_by")["format"])


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _shape(array: Any) -> str:
    return "none" if array is None else str(tuple(np.shape(array)))
