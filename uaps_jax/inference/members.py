"""The members of a method's ensemble, and the features of its encoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax.config import Config
from uaps_jax.methods.base import Method, Predictor
from uaps_jax.trees import Tree

OfImages = Callable[[Tree, jax.Array], jax.Array]
"""A function of variables and images `[B, h, w, channels]` on the 0..255 scale."""

Kind = Literal["prediction", "decoders", "flips"]
"""The members: the prediction alone; `decoders`; or `flips`."""

MIRRORED = ((), (2,), (1,), (1, 2))
"""The axes of `[B, h, w, C]` along which the members of "flips" are turned, and turned back."""


def of(method: Method, predictor: Predictor, kind: Kind) -> OfImages:
    """Probabilities `[M, B, h, w, C]` of the M members of an ensemble."""
    if kind == "decoders":
        return decoders(method)
    return flips(predictor) if kind == "flips" else lambda v, images: predictor(v, images)[None]


def count(config: Config, method: Method, kind: Kind) -> int:
    """M; nothing is compiled."""
    predictor = method.predictor(config.evaluation.predictor)
    variables = jax.eval_shape(lambda: method.variables(*method.init(0)))
    side = config.network.stride
    batch = jax.ShapeDtypeStruct((1, side, side, config.data.channels), np.uint8)
    return len(jax.eval_shape(of(method, predictor, kind), variables, batch))


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


def flips(predictor: Predictor) -> OfImages:
    """Probabilities `[4, B, h, w, C]` of images and of their three mirror images, turned back."""

    def members(variables: Tree, images: jax.Array) -> jax.Array:
        turned = [predictor(variables, jnp.flip(images, axes)) for axes in MIRRORED]
        return jnp.stack([jnp.flip(p, axes) for p, axes in zip(turned, MIRRORED, strict=True)])

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
