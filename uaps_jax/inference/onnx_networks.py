"""Families of networks as nodes of an ONNX graph, batch normalisation folded into convolutions."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from uaps_jax.inference.onnx_graph import Graph
from uaps_jax.models import layers, stacked
from uaps_jax.trees import Tree

Emit = Callable[[Graph, Tree, str], list[str]]
"""`(graph, variables of a network, name of its input)` to the names of its decoders' logits."""


def unet(graph: Graph, network: Tree, x: str) -> list[str]:
    """The logits `[N, C, h, w]` of every decoder of a network."""
    params, stats = network["params"], network["batch_stats"]
    pyramid: list[str] = []
    for level in range(len(params["encoder"])):
        if level:
            x = graph.add("MaxPool", x, kernel_shape=(2, 2), strides=(2, 2))
        block = f"block_{level}"
        x = _block(graph, params["encoder"][block], stats["encoder"][block], x)
        pyramid.append(x)
    heads = []
    decoders = {"params": params["decoders"], "stats": stats["decoders"]}
    for number in range(len(jax.tree.leaves(decoders)[0])):
        one = stacked.entry(decoders, number)
        p, s = one["params"], one["stats"]
        x = pyramid[-1]
        for level in reversed(range(len(pyramid) - 1)):
            x = graph.convolution(x, **p[f"reduce_{level}"])
            x = graph.add(
                "Resize",
                x,
                "",
                graph.constant([1, 1, 2, 2], np.float32),
                mode="linear",
                coordinate_transformation_mode="align_corners",
            )
            x = graph.add("Concat", pyramid[level], x, axis=1)
            x = _block(graph, p[f"block_{level}"], s[f"block_{level}"], x)
        heads.append(graph.convolution(x, **p["classifier"]))
    return heads


def _block(graph: Graph, params: Tree, stats: Tree, x: str) -> str:
    """Twice convolution, batch normalisation (folded into it) and LeakyReLU."""
    for number in (0, 1):
        conv, norm = params[f"conv_{number}"], params[f"norm_{number}"]
        running = stats[f"norm_{number}"]
        inverse = 1 / np.sqrt(running["var"].astype(np.float64) + layers.BatchNorm.epsilon)
        factor = norm["scale"] * inverse
        bias = (conv["bias"] - running["mean"]) * factor + norm["bias"]
        x = graph.convolution(x, kernel=conv["kernel"] * factor, bias=bias)
        x = graph.add("LeakyRelu", x, alpha=layers.LEAKY_SLOPE)
    return x


NETWORKS: dict[str, Emit] = {"unet": unet}
"""By the family's name, as in `uaps_jax.models.NETWORKS`."""
