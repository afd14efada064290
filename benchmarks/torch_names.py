"""The published network's PyTorch names and layouts, translated to the tree of our U-Net."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from uaps_jax.trees import Tree
from uaps_jax.weights import unet
from uaps_jax.weights.names import place


def location(name: str) -> tuple[str, tuple[str, ...], int | None]:
    """The position of the tensor with a PyTorch name in our tree: (collection, path, decoder).

    `path` leads to a leaf of `params` or `batch_stats`; `decoder` is the index on the leading axis
    of a decoder's leaf (the main decoder is 0, `aux_decoder<k>` is k), None for the encoder.
    """
    part = name.split(".", 1)[0]
    is_encoder = part == "encoder"
    found = place(name, unet.ENCODER if is_encoder else unet.decoder(part))
    if isinstance(found, str):
        raise ValueError(f"{name} is not a tensor of the published network: {found}")
    collection, *path = found.path.split("/")
    if is_encoder:
        return collection, ("encoder", *path), None
    number = 0 if part == "main_decoder" else int(part.removeprefix("aux_decoder"))
    return collection, ("decoders", *path), number


def array(value: Any) -> np.ndarray:
    """A tensor in our layout, float32: a convolution's OIHW becomes HWIO."""
    value = np.asarray(value, np.float32)
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value


def variables(weights: Mapping[str, Any]) -> Tree:
    """`{"params", "batch_stats"}` of our U-Net from a PyTorch state dict of numpy arrays.

    The decoders are stacked on a leading axis in the order main, auxiliary 1, 2...
    """
    arrays: dict[tuple[str, ...], dict[int | None, np.ndarray]] = {}
    for name, value in weights.items():
        collection, path, decoder = location(name)
        arrays.setdefault((collection, *path), {})[decoder] = array(value)
    tree: Tree = {}
    for path, by_decoder in arrays.items():
        node = tree
        for key in path[:-1]:
            node = node.setdefault(key, {})
        shared = None in by_decoder
        node[path[-1]] = (
            by_decoder[None]
            if shared
            else np.stack([by_decoder[k] for k in range(len(by_decoder))])
        )
    return tree


def leaf(tree: Tree, name: str) -> Any:
    """The array of our tree (`{"params", "batch_stats"}`) with a PyTorch name."""
    collection, path, decoder = location(name)
    node = tree[collection]
    for key in path:
        node = node[key]
    return node if decoder is None else node[decoder]


def tensors(tree: Tree) -> dict[str, np.ndarray]:
    """Arrays by their PyTorch names, in PyTorch's layout, from our `{"params", "batch_stats"}`."""
    count = len(tree["params"]["decoders"]["classifier"]["bias"])
    decoders = ["main_decoder", *(f"aux_decoder{k}" for k in range(1, count))]
    arrays = {}
    for name in _names(decoders):
        value = np.asarray(leaf(tree, name))
        arrays[name] = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value
    return arrays


def _names(decoders: Sequence[str]) -> Iterator[str]:
    """The names of all tensors of the published network with these decoders."""
    levels = range(1, unet.DEEPEST + 1)
    blocks = ["encoder.in_conv", *(f"encoder.down{n}.maxpool_conv.1" for n in levels)]
    for decoder in decoders:
        for step in levels:
            yield from (f"{decoder}.up{step}.conv1x1.{kind}" for kind in ("weight", "bias"))
            blocks.append(f"{decoder}.up{step}.conv")
        yield from (f"{decoder}.out_conv.{kind}" for kind in ("weight", "bias"))
    for block in blocks:
        for index in ("0", "4"):
            yield from (f"{block}.conv_conv.{index}.{kind}" for kind in ("weight", "bias"))
        for index in ("1", "5"):
            kinds = ("weight", "bias", "running_mean", "running_var")
            yield from (f"{block}.conv_conv.{index}.{kind}" for kind in kinds)
