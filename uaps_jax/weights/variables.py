"""From a state dictionary of PyTorch to the variables of an encoder."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from uaps_jax.weights.errors import WeightsError
from uaps_jax.weights.names import UNKNOWN, Place, Table, place

State = Mapping[str, np.ndarray]
"""Name in a file -> array."""

Shape = tuple[int, ...]

OUTSIDE = "not of the encoder"
NO_LEVEL = "the network has no such level"
SHOWN = 3  # names in a message


@dataclass(frozen=True)
class Loaded:
    """What became of the names of a file.

    Attributes:
      prefix: of the encoder's names, which are given with it below.
      used: name -> where it goes.
      left_out: name -> why.
      missing: paths of the network's variables for which the file has no array.
      surplus: names of the encoder for which the network, in a level that it has, has no variable.
    """

    prefix: str
    used: dict[str, Place]
    left_out: dict[str, str]
    missing: tuple[str, ...]
    surplus: tuple[str, ...]


def to_variables(
    state: State,
    table: Table,
    expected_shapes: Mapping[str, Any],
    *,
    file: str | os.PathLike[str],
    prefix: str | None = None,
) -> tuple[dict[str, Any], Loaded]:
    """The variables of an encoder, float32 arrays in the structure of the expected ones.

    Args:
      state: of `read`.
      table: of the encoder.
      expected_shapes: nested dicts whose leaves are shapes or have a `shape`, such as the result of
        `jax.eval_shape`: the encoder's `params` and `batch_stats`.
      file: for messages.
      prefix: of the encoder's names in the file, such as `model.module.encoder.`; None to find it.

    Returns:
      The variables, and what became of the names in the file; nothing is missing.

    Raises:
      WeightsError: the file does not have the encoder, has it several times and `prefix` is None,
        has only a part of it, or has blocks or modules that the network lacks; or a shape or an
        element type does not fit.
    """
    where = os.fspath(file)
    expected = flat_shapes(expected_shapes)
    loaded = matched(state, table, expected, found_prefix(state, table, where, prefix))
    check_complete(loaded, expected, table, where)
    arrays = {
        to.path: converted(state[name], to, name, expected[to.path], table, where)
        for name, to in loaded.used.items()
    }
    return nested({path: arrays[path] for path in expected}), loaded


def flat_shapes(tree: Mapping[str, Any], above: str = "") -> dict[str, Shape]:
    """Path -> shape."""
    found: dict[str, Shape] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            found |= flat_shapes(value, f"{above}{key}/")
        else:
            found[f"{above}{key}"] = tuple(getattr(value, "shape", value))
    return found


def found_prefix(names: Iterable[str], table: Table, file: str, prefix: str | None = None) -> str:
    """What is before the names of the encoder."""
    names = list(names)
    ends = [name for name in names if name == table.anchor or name.endswith(f".{table.anchor}")]
    prefixes = sorted(name.removesuffix(table.anchor) for name in ends)
    if prefix is not None and prefix in prefixes:
        return prefix
    if prefix is not None or not prefixes:
        wanted = f"{prefix or ''}{table.anchor}"
        raise WeightsError(
            f"{file}: holds no {table.title}, which has an array {wanted!r}; its names are "
            f"{first(names)}"
        )
    if len(prefixes) > 1:
        raise WeightsError(
            f"{file}: holds several encoders, whose names begin with {first(prefixes)}: choose one"
        )
    return prefixes[0]


def matched(names: Iterable[str], table: Table, expected: Collection[str], prefix: str) -> Loaded:
    """Compares names of a file with the paths of the expected variables."""
    used: dict[str, Place] = {}
    left_out: dict[str, str] = {}
    surplus: list[str] = []
    levels = {level(path) for path in expected}
    for name in names:
        inside = name.startswith(prefix)
        own = name.removeprefix(prefix)
        to = place(own, table) if inside else OUTSIDE
        if to == UNKNOWN and re.match(table.inside, own):
            surplus.append(name)
        elif isinstance(to, str):
            left_out[name] = to
        elif to.path in expected:
            used[name] = to
        elif level(to.path) in levels:
            surplus.append(name)
        else:
            left_out[name] = NO_LEVEL
    reached = {to.path for to in used.values()}
    missing = tuple(path for path in expected if path not in reached)
    return Loaded(prefix, used, left_out, missing, tuple(surplus))


def level(path: str) -> str:
    """`level_2` of `params/level_2/block_0/conv_1/kernel`."""
    return path.split("/")[1]


def check_complete(loaded: Loaded, expected: Collection[str], table: Table, file: str) -> None:
    """Checks that file and network have the same arrays."""
    if loaded.missing:
        raise WeightsError(
            f"{file}: has {len(loaded.used)} of the {len(expected)} arrays of the network's "
            f"{table.title}; missing are {first(loaded.missing)}: choose the network that the "
            "file was saved from"
        )
    if loaded.surplus:
        raise WeightsError(
            f"{file}: has arrays that the network's {table.title} lacks ({len(loaded.surplus)}: "
            f"{first(loaded.surplus)}): choose the network that the file was saved from"
        )


def converted(
    array: np.ndarray, to: Place, name: str, expected: Shape, table: Table, file: str
) -> np.ndarray:
    """A copy as float32, contiguous, with the axes in our order."""
    axes = to.axes or tuple(range(len(expected)))
    if len(axes) != len(expected):
        raise ValueError(f"{to.path}: {expected} is not the shape of such an array")
    wanted = tuple(expected[axes.index(axis)] for axis in range(len(axes)))
    if to.path == table.first and array.ndim == 4 and (array.shape[1], wanted[1]) == (3, 1):
        raise WeightsError(
            f"{file}: the first convolution has 3 input channels, the network has 1: grey images "
            "are replicated to three channels by data.channels=3"
        )
    if array.shape != wanted:
        raise WeightsError(
            f"{file}: {name} has shape {array.shape}, but {to.path} of the network needs {wanted}"
        )
    if not np.issubdtype(array.dtype, np.floating):
        raise WeightsError(f"{file}: {name} has elements of type {array.dtype}, no weights")
    return np.array(array.transpose(axes), np.float32, order="C")


def nested(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Nested dicts from paths whose names are joined by "/"."""
    tree: dict[str, Any] = {}
    for path, array in arrays.items():
        *above, name = path.split("/")
        node = tree
        for key in above:
            node = node.setdefault(key, {})
        node[name] = array
    return tree


def first(names: Sequence[str]) -> str:
    """The first names of many, for a message."""
    more = ", ..." if len(names) > SHOWN else ""
    return ", ".join(repr(name[:100]) for name in names[:SHOWN]) + more
