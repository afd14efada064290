"""What the networks of a predictor make of images, as ONNX nodes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import jax
import numpy as np

from uaps_jax.config import Config
from uaps_jax.inference.onnx_file import walk
from uaps_jax.inference.onnx_file.graph import Graph
from uaps_jax.inference.outputs import ExportError
from uaps_jax.methods.base import Predictor
from uaps_jax.models.network import Network
from uaps_jax.trees import Tree

OfNetwork = Callable[[Tree, jax.Array], Sequence[jax.Array]]
"""The variables of a network and normalised images `[N, H, W, C]` to arrays."""


def logits(
    graph: Graph, config: Config, predictor: Predictor, variables: Tree, x: str
) -> list[str]:
    """The logits `[N, C, h, w]` of every decoder of a predictor."""
    network = predictor.network
    return outputs(
        graph, config, network, network.separate_logits, predictor.networks(variables), x
    )


def outputs(
    graph: Graph,
    config: Config,
    network: Network,
    function: OfNetwork,
    networks: Sequence[Tree],
    x: str,
) -> list[str]:
    """The names of what a function makes of images `x`, of one network after another.

    Raises:
      ExportError: it computes something that has no ONNX form.
    """
    size = (config.data.height, config.data.width) if config.data.fit == "resize" else None
    if size and config.data.transpose:
        size = size[::-1]
    found = []
    try:
        for variables in networks:
            constant = jax.tree.map(np.asarray, variables)
            of_images = functools.partial(function, constant)
            found += walk.outputs(graph, of_images, x, network.channels, size or network.stride)
    except ExportError as error:
        raise ExportError(f"network {config.network.name}: {error}") from error
    return found
