"""Variables of our networks from the state dictionaries of published PyTorch codes."""

from __future__ import annotations

import os
from collections.abc import Mapping

import jax
import numpy as np

from uaps_jax import weights
from uaps_jax.models.network import COLLECTIONS
from uaps_jax.trees import Tree
from uaps_jax.weights import Loaded, Table
from uaps_jax.weights.decoders import Rearrange

State = Mapping[str, np.ndarray]


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
    state: State,
    table: Table,
    rearranged: Rearrange,
    shapes: Tree,
    file: str | os.PathLike[str],
) -> tuple[Tree, Loaded]:
    """Likewise of a single decoder, with the leading axis of the decoders.

    Args:
      state: name -> array.
      table: names of the decoder.
      rearranged: the change of a state dictionary of this code.
      shapes: of the network (`Network.shapes`), with one decoder.
      file: for messages.
    """
    prefix = weights.found_prefix(state, table, os.fspath(file))
    expected = {c: jax.tree.map(lambda s: s.shape[1:], shapes[c]["decoders"]) for c in COLLECTIONS}
    variables, loaded = weights.to_variables(rearranged(state, prefix), table, expected, file=file)
    stacked: Tree = jax.tree.map(lambda leaf: leaf[None], variables)
    return {collection: stacked.get(collection, {}) for collection in COLLECTIONS}, loaded
