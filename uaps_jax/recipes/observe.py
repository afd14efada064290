"""What a network says of images: predictions, scores by an ensemble, features."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax import compiler
from uaps_jax.acquisition import texture as textures
from uaps_jax.acquisition.score import Score
from uaps_jax.config import Config
from uaps_jax.data.source import Dataset
from uaps_jax.inference import TrainedModel
from uaps_jax.inference import members as members_lib
from uaps_jax.methods.base import Method, Predictor
from uaps_jax.recipes import images
from uaps_jax.recipes.acquire import Members
from uaps_jax.trees import Tree

MIRRORED = ((), (2,), (1,), (1, 2))
"""The axes of `[B, H, W, C]` along which the members of "flips" are turned, and turned back."""


class Observed(NamedTuple):
    """What was found for the N images.

    Attributes:
      labels: predicted class ids, uint8 `[N, H, W]`.
      scores: `[N]`, not negative; None where none were asked for.
      features: of unit length, `[N, D]`.
    """

    labels: np.ndarray
    scores: np.ndarray | None
    features: np.ndarray


def observed(
    models: Sequence[TrainedModel],
    dataset: Dataset,
    names: Sequence[str],
    score: Score | None,
    members: Members,
) -> Observed:
    """Predictions, scores and features of images.

    Args:
      models: the checkpoints of a run, the newest last, for "checkpoints"; else one.
      dataset: of the images.
      names: of the images.
      score: None for no scores.
      members: of the ensemble.
    """
    last = models[-1]
    config, method = last.config, last.method
    size = config.evaluation.batch_size
    predictor = method.predictor(last.predictor)
    ensemble, encode = make_ensemble(method, predictor, members), make_encoder(predictor)

    @functools.partial(compiler.jit_optimized, deterministic=config.train.deterministic)
    def look(variables: Tree, batch: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array | None]:
        own = predictor(variables, batch).argmax(-1).astype(np.uint8)
        return own, encode(variables, batch), ensemble(variables, batch) if score else None

    labels, scores, features = [], [], []
    for pool in images.pools(dataset, names, config.data, size, "scoring"):
        batch, count = images.padded(pool.images, size), len(pool.names)
        looked = [look(model.variables, batch) for model in models]
        labels.append(np.asarray(looked[-1][0])[:count])
        features.append(np.asarray(looked[-1][1])[:count])
        if score is not None:
            found = np.concatenate([np.asarray(of_model[2]) for of_model in looked])
            scores += [max(score(found[:, row]), 0.0) for row in range(count)]
    return Observed(
        labels=np.concatenate(labels),
        scores=None if score is None else np.array(scores),
        features=np.concatenate(features),
    )


def make_ensemble(
    method: Method, predictor: Predictor, members: Members
) -> Callable[[Tree, jax.Array], jax.Array]:
    """The function of variables and images to the members' probabilities, `[M, B, H, W, C]`."""

    def predicted(variables: Tree, batch: jax.Array) -> jax.Array:
        return predictor(variables, batch)[None]

    def flips(variables: Tree, batch: jax.Array) -> jax.Array:
        turned = [predictor(variables, jnp.flip(batch, axes)) for axes in MIRRORED]
        return jnp.stack([jnp.flip(p, axes) for p, axes in zip(turned, MIRRORED, strict=True)])

    of_method = members_lib.decoders(method)
    return {"decoders": of_method, "flips": flips}.get(members, predicted)


def count_members(config: Config, method: Method, members: Members) -> int:
    """M of one checkpoint; nothing is compiled."""
    predictor = method.predictor(config.evaluation.predictor)
    variables = jax.eval_shape(lambda: method.variables(*method.init(0)))
    side = config.network.stride
    batch = jax.ShapeDtypeStruct((1, side, side, config.data.channels), np.uint8)
    return len(jax.eval_shape(make_ensemble(method, predictor, members), variables, batch))


def make_encoder(predictor: Predictor) -> Callable[[Tree, jax.Array], jax.Array]:
    """The function of variables and images to `encoder_features` of unit length, `[B, D]`."""
    features = members_lib.encoder_features(predictor)

    def encode(variables: Tree, batch: jax.Array) -> jax.Array:
        found = features(variables, batch)
        length = jnp.linalg.norm(found, axis=-1, keepdims=True)
        return found / jnp.maximum(length, jnp.finfo(found.dtype).tiny)

    return encode


def features_of(
    config: Config, method: Method, variables: Tree, dataset: Dataset, names: Sequence[str]
) -> np.ndarray:
    """The features of images by a network before its training, `[N, D]`."""
    size = config.evaluation.batch_size
    predictor = method.predictor(config.evaluation.predictor)
    encode = compiler.jit_optimized(
        make_encoder(predictor), deterministic=config.train.deterministic
    )
    return np.concatenate(
        [
            np.asarray(encode(variables, images.padded(pool.images, size)))[: len(pool.names)]
            for pool in images.pools(dataset, names, config.data, size, "encoding")
        ]
    )


def textures_of(config: Config, dataset: Dataset, names: Sequence[str]) -> np.ndarray:
    """`acquisition.texture` of images at the network's size, standardized: `[N, D]`."""
    size = config.evaluation.batch_size
    found = [
        textures.texture(pool.images)
        for pool in images.pools(dataset, names, config.data, size, "describing")
    ]
    return textures.standardized(np.concatenate(found))
