"""Variables of our networks from the state dictionaries of published PyTorch codes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import jax
import numpy as np

from uaps_jax import weights
from uaps_jax.models.network import COLLECTIONS
from uaps_jax.trees import Tree
from uaps_jax.weights import Loaded, Table
from uaps_jax.weights.decoders import Published

State = Mapping[str, np.ndarray]


@runtime_checkable
class PublishedNames(Protocol):
    """The settings of a network that state dictionaries of published codes can be read for."""

    def published_encoder(self) -> Table:
        """Names of the encoder's arrays."""

    def published_decoders(self) -> Published:
        """Names of the arrays of every decoder, the main one first; empty if none was published."""


def encoder_variables(
    state: State, table: Table, shapes: Tree, file: str | os.PathLike[str]
) -> tuple[Tree, Loaded]:
    """`{"params", "batch_stats"}` of an encoder, and what became of the names.

    Args:
      state: name -> array.
      table: names of the encoder.
      shapes: of the network (`Network.shapes`).
      file: for messages.

    Raises:
      WeightsError: the arrays do not fit (`weights.to_variables`).
    """
    expected = {collection: shapes[collection]["encoder"] for collection in COLLECTIONS}
    return weights.to_variables(state, table, expected, file=file)


def decoder_variables(
    state: State, names: Published, shapes: Tree, file: str | os.PathLike[str]
) -> tuple[Tree, list[Loaded]]:
    """Likewise of the decoders, stacked, and what became of the names for each.

    Args:
      state: name -> array.
      names: of as many decoders as the network has.
      shapes: of the network (`Network.shapes`).
      file: for messages.
    """
    expected = {c: jax.tree.map(lambda s: s.shape[1:], shapes[c]["decoders"]) for c in COLLECTIONS}
    found = []
    for table, rearranged in names:
        prefix = weights.found_prefix(state, table, os.fspath(file))
        state_of_ours = rearranged(state, prefix)
        found.append(weights.to_variables(state_of_ours, table, expected, file=file))
    stacked: Tree = jax.tree.map(lambda *leaves: np.stack(leaves), *(tree for tree, _ in found))
    variables = {collection: stacked.get(collection, {}) for collection in COLLECTIONS}
    return variables, [loaded for _, loaded in found]
