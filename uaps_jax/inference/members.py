"""The members of a method's ensemble, and the features of its encoder."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from uaps_jax.methods.base import Method, Predictor
from uaps_jax.trees import Tree

OfImages = Callable[[Tree, jax.Array], jax.Array]
"""A function of variables and images `[B, h, w, channels]` on the 0..255 scale."""


def decoders(method: Method) -> OfImages:
    """Probabilities `[M, B, h, w, C]` of the M members of an ensemble.

    They are the decoders, on clean features, of the predictor that has most of them: those of
    UAPS's ensemble, the two networks of CPS. Where every predictor has one, they are the
    predictors: student and teacher.
    """

    def members(variables: Tree, images: jax.Array) -> jax.Array:
        every = [p.logits(variables, images, None) for p in method.predictors.values()]
        widest = max(every, key=len)
        return jax.nn.softmax(widest if len(widest) > 1 else jnp.concatenate(every))

    return members


def encoder_features(predictor: Predictor) -> OfImages:
    """The coarsest level of the encoder's pyramid, averaged over space: `[B, D]`.

    Of several networks, it is that of the first.
    """

    def encode(variables: Tree, images: jax.Array) -> jax.Array:
        first = predictor.networks(variables)[0]
        coarsest = predictor.network.pyramid(first, predictor.normalize(images))[-1]
        return coarsest.astype(jnp.promote_types(coarsest.dtype, jnp.float32)).mean((1, 2))

    return encode
