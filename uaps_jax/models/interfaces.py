"""The parts of a network as its other parts see them: encoder, decoder, outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import jax

Pyramid = Sequence[jax.Array]

Change = Callable[[jax.Array, Pyramid], Pyramid]
"""`(key, pyramid)` to a changed pyramid of the encoder, for all decoders."""


class Encoder(Protocol):
    """The call of an encoder, a `flax.linen.Module`; it may use the rng "dropout"."""

    def __call__(self, images: jax.Array, *, train: bool, parts: int = 1) -> Pyramid:
        """Images `[B * parts, H, W, C]` to feature maps, from the finest to the coarsest."""


class Decoded(NamedTuple):
    """The output of a decoder.

    Attributes:
      logits: `[B, H, W, classes]`, of the size of the images.
      features: `[B, h, w, F]`, the input of the output layer; h and w may be smaller than H and W.
      joined: `[B, h, w, F']`, the input of the convolutions in front of the output layer, behind
        the last place at which levels or branches join; `features` if there are no such
        convolutions.
    """

    logits: jax.Array
    features: jax.Array
    joined: jax.Array


class Decoder(Protocol):
    """The call of a decoder, a `flax.linen.Module`; it may use the rng "dropout"."""

    def __call__(self, pyramid: Pyramid, *, train: bool, parts: int = 1) -> Decoded:
        """The pyramid of an encoder to logits and features."""


class Outputs(NamedTuple):
    """The outputs of a network, float32 or wider.

    Attributes:
      logits: `[K, B, H, W, C]`, the main decoder first.
      heads: name of an extra head -> `[K, B, h, w, channels]`, or `[1, B, h, w, channels]` of one
        that reads the encoder; of the size of what it reads.
    """

    logits: jax.Array
    heads: dict[str, jax.Array]
