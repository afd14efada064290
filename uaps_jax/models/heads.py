"""Extra heads of a network.

linear            1x1 convolution of the decoder's `features` (the variance of DUEB).
projection        two 3x3 convolutions and a 1x1 one of the decoder's `joined` features, at stride 4
                  or coarser; of finer features every pixel of a grid of stride 4 is read (U2PL).
fcn               a 3x3 and a 1x1 convolution of the encoder's last level but one (U2PL, URN).
class_activation  1x1 convolution without bias of the encoder's last level: class activation maps,
                  whose mean over an image, `image_logits`, are the logits of its labels (URN).

A head that reads a decoder is one of every decoder; one that reads the encoder is one of the
network. The variables of both have a leading axis, over the decoders or of length 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from uaps_jax.config import Head
from uaps_jax.models import layers, stacked
from uaps_jax.models.interfaces import Decoded, Outputs, Pyramid
from uaps_jax.trees import Tree

Heads = Mapping[str, Head]
PROJECTION_STRIDE = 4
FCN_WIDTH = 256
DROPOUT = 0.1  # of channels, behind every convolution with a normalisation


class Linear(nn.Module):
    """A 1x1 convolution; its parameters are `kernel` and `bias`."""

    channels: int
    dtype: Any = None

    def setup(self) -> None:
        self.conv = layers.conv(self.channels, 1, self.dtype, "conv")
        nn.share_scope(self, self.conv)

    def __call__(self, x: jax.Array, *, train: bool, parts: int = 1) -> jax.Array:
        """`[B, h, w, F]` to `[B, h, w, channels]`."""
        del train, parts
        return self.conv(x)


class Convolutions(nn.Module):
    """3x3 convolutions with batch normalisation, ReLU and dropout of channels, and a 1x1 one.

    Attributes:
      widths: channels of the 3x3 convolutions.
      channels: of the output.
      dtype: compute type.
    """

    widths: Sequence[int]
    channels: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, parts: int = 1) -> jax.Array:
        """`[B, h, w, F]` to `[B, h, w, channels]`."""
        for number, width in enumerate(self.widths):
            x = layers.conv(width, 3, self.dtype, f"conv_{number}")(x)
            norm = layers.BatchNorm(self.dtype, name=f"norm_{number}")
            x = nn.relu(norm(x, train=train, parts=parts))
            x = layers.drop_channels(self, x, DROPOUT, train=train)
        return layers.conv(self.channels, 1, self.dtype, "output")(x)


class ClassActivation(nn.Module):
    """A 1x1 convolution without bias."""

    channels: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, parts: int = 1) -> jax.Array:
        """`[B, h, w, F]` to `[B, h, w, channels]`."""
        del train, parts
        return layers.conv(self.channels, 1, self.dtype, "output", bias=False)(x)


def image_logits(maps: jax.Array) -> jax.Array:
    """Logits of the labels of an image `[..., channels]`, of its maps `[..., h, w, channels]`."""
    return maps.mean((-3, -2))


@dataclasses.dataclass(frozen=True)
class Kind:
    """The layers of a kind of heads.

    Attributes:
      reads: features of the decoder, or a level of the encoder.
      build: from the number of channels and the compute type.
      level: of the encoder, counted from the end.
    """

    reads: Literal["features", "joined", "encoder"]
    build: Callable[[int, Any], nn.Module]
    level: int = 1


KINDS: Mapping[str, Kind] = {
    "linear": Kind("features", Linear),
    "projection": Kind("joined", lambda n, dtype: Convolutions((n, n), n, dtype)),
    "fcn": Kind("encoder", lambda n, dtype: Convolutions((FCN_WIDTH,), n, dtype), level=2),
    "class_activation": Kind("encoder", ClassActivation),
}


def reads_encoder(head: Head) -> bool:
    return KINDS[head.kind].reads == "encoder"


def module(head: Head, dtype: Any) -> nn.Module:
    return KINDS[head.kind].build(head.channels, dtype)


def of_encoder(head: Head, pyramid: Pyramid) -> jax.Array:
    """What a head reads of the encoder; the only level of a pyramid of one."""
    return pyramid[-min(KINDS[head.kind].level, len(pyramid))]


def of_decoder(head: Head, decoded: Decoded) -> jax.Array:
    """What a head reads of a decoder."""
    if KINDS[head.kind].reads == "features":
        return decoded.features
    stride = decoded.logits.shape[1] // decoded.joined.shape[1]
    step = max(1, PROJECTION_STRIDE // stride)
    return decoded.joined[:, ::step, ::step]


def selected(heads: Heads, variables: Tree, *, on_encoder: bool) -> tuple[Heads, Tree]:
    """The heads that read the encoder, or those that read a decoder, with their variables.

    Args:
      heads: all heads of a network.
      variables: of the network.
      on_encoder: which ones.
    """
    chosen = {name: head for name, head in heads.items() if reads_encoder(head) == on_encoder}
    parts = {
        collection: {n: leaf for n, leaf in tree.get("heads", {}).items() if n in chosen}
        for collection, tree in variables.items()
    }
    return chosen, parts


def run(
    heads: Heads,
    inputs: Mapping[str, jax.Array],
    variables: Tree,
    dtype: Any,
    key: jax.Array | None,
    parts: int,
) -> tuple[dict[str, jax.Array], Tree]:
    """The outputs of heads by name, float32 or wider, and their new batch statistics.

    Args:
      heads: by name.
      inputs: name of a head -> what it reads.
      variables: of `selected`, without the leading axis.
      dtype: compute type.
      key: for dropout, in training mode; None for evaluation mode.
      parts: number of batch parts.
    """
    outputs: dict[str, jax.Array] = {}
    updated: Tree = {}
    for number, (name, head) in enumerate(heads.items()):
        own = {collection: tree.get(name, {}) for collection, tree in variables.items()}
        made, x = module(head, dtype), inputs[name]
        if key is None:
            y: Any = made.apply(own, x, train=False)
        else:
            y, new = made.apply(
                own,
                x,
                train=True,
                parts=parts,
                rngs={"dropout": jax.random.fold_in(key, number)},
                mutable=["batch_stats"],
            )
            if name in variables["batch_stats"]:
                updated[name] = new["batch_stats"]
        outputs[name] = wide(y)
    return outputs, updated


def run_on_decoder(
    heads: Heads,
    decoded: Decoded,
    variables: Tree,
    dtype: Any,
    key: jax.Array | None = None,
    parts: int = 1,
) -> tuple[Outputs, Tree]:
    """The outputs of a decoder and of the heads that read it; the arguments are those of `run`."""
    inputs = {name: of_decoder(head, decoded) for name, head in heads.items()}
    extra, updated = run(heads, inputs, variables, dtype, key, parts)
    return Outputs(wide(decoded.logits), extra), updated


def run_on_encoder(
    heads: Heads,
    pyramid: Pyramid,
    variables: Tree,
    dtype: Any,
    key: jax.Array | None = None,
    parts: int = 1,
) -> tuple[dict[str, jax.Array], Tree]:
    """The outputs of the heads that read the encoder, and their new batch statistics.

    Args:
      heads: all heads of a network; results are those of the heads that read the encoder.
      pyramid: of the encoder.
      variables: of the network; theirs, and the results, have a leading axis of length one.
      dtype: as of `run`.
      key: likewise.
      parts: likewise.
    """
    heads, own = selected(heads, variables, on_encoder=True)
    if not heads:
        return {}, {}
    inputs = {name: of_encoder(head, pyramid) for name, head in heads.items()}
    results = run(heads, inputs, stacked.entry(own, 0), dtype, key, parts)
    with_axis: tuple[dict[str, jax.Array], Tree] = jax.tree.map(lambda leaf: leaf[None], results)
    return with_axis


def wide(x: jax.Array) -> jax.Array:
    """float32 or wider."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def shapes(
    heads: Heads, pyramid: Any, decoded: Any, decoders: int, dtype: Any
) -> tuple[Tree, Tree]:
    """`jax.ShapeDtypeStruct` of the parameters and the batch statistics of heads, by name.

    Args:
      heads: by name.
      pyramid: shapes of the encoder's output.
      decoded: shapes of a decoder's output.
      decoders: how many there are.
      dtype: compute type.
    """
    params, stats = {}, {}
    for name, head in heads.items():

        def init(key: jax.Array, x: Any, d: Any, head: Head = head) -> Any:
            read = of_encoder(head, x) if reads_encoder(head) else of_decoder(head, d)
            return module(head, dtype).init(key, read, train=False)

        key = jax.eval_shape(lambda: jax.random.key(0))
        variables = jax.eval_shape(init, key, pyramid, decoded)
        count = 1 if reads_encoder(head) else decoders
        params[name] = stacked.shapes(variables["params"], count)
        if "batch_stats" in variables:
            stats[name] = stacked.shapes(variables["batch_stats"], count)
    return params, stats
