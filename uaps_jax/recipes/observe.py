"""What a network says of images: predictions, scores by an ensemble, features."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax import compiler, palette
from uaps_jax.acquisition import texture as textures
from uaps_jax.acquisition.score import Score
from uaps_jax.config import Config
from uaps_jax.data import tiling
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
      masks: predicted, at the size of the images, as PNG of class ids (`palette.png`).
      shares: of the pixels that are predicted as a defect, `[N]`.
      scores: `[N]`, not negative; None where none were asked for.
      features: of unit length, `[N, D]`.
    """

    masks: list[bytes]
    shares: np.ndarray
    scores: np.ndarray | None
    features: np.ndarray


class _Look(NamedTuple):
    """What a network says of B inputs: probabilities, features, and its members if asked for."""

    probabilities: jax.Array
    features: jax.Array
    members: jax.Array | None


def observed(
    models: Sequence[TrainedModel],
    dataset: Dataset,
    names: Sequence[str],
    score: Score | None,
    members: Members,
) -> Observed:
    """Predictions, scores and features of images.

    An image that is resized has the score of its network input; one that is covered by tiles that
    of the members' probabilities, blended where tiles overlap.

    Args:
      models: the checkpoints of a run, the newest last, for "checkpoints"; else one.
      dataset: of the images.
      names: of the images.
      score: None for no scores.
      members: of the ensemble.
    """
    last = models[-1]
    config, method = last.config, last.method
    size, data = config.evaluation.batch_size, config.data
    is_resized = data.fit == "resize"
    predictor = method.predictor(last.predictor)
    ensemble, encode = make_ensemble(method, predictor, members), make_encoder(predictor)
    of_inputs: list[np.ndarray] = []
    scores: list[float] = []

    @functools.partial(compiler.jit_optimized, deterministic=config.train.deterministic)
    def look(variables: Tree, batch: jax.Array) -> _Look:
        return _Look(
            probabilities=predictor(variables, batch),
            features=encode(variables, batch),
            members=ensemble(variables, batch) if score else None,
        )

    def of_tiles(tiles: np.ndarray, number: int) -> list[np.ndarray]:
        del number
        count = len(tiles)
        looked = [look(model.variables, images.padded(tiles, size)) for model in models]
        of_inputs.append(np.asarray(looked[-1].features)[:count])
        own = np.asarray(looked[-1].probabilities)[:count]
        outputs = [own.argmax(-1).astype(np.uint8) if is_resized else own]
        if score is None:
            return outputs
        found = np.concatenate([np.asarray(of_model.members) for of_model in looked])[:, :count]
        if not is_resized:
            return outputs + list(found)
        scores.extend(max(score(found[:, row]), 0.0) for row in range(count))
        return outputs

    masks, shares, counts = [], [], []
    for whole in tiling.assembled(
        images.tiled(dataset, names, data, size, "scoring"), of_tiles, data, size
    ):
        own, *own_members = whole.outputs
        mask = own if is_resized else tiling.likeliest(own)
        masks.append(palette.png(mask))
        shares.append(float((mask > 0).mean()))
        counts.append(len(whole.image.corners))
        if score is not None and not is_resized:
            scores.append(max(score(np.stack(own_members)), 0.0))
    return Observed(
        masks=masks,
        shares=np.array(shares),
        scores=None if score is None else np.array(scores),
        features=_unit(images.means(np.concatenate(of_inputs), counts)),
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
    size, data = config.evaluation.batch_size, config.data
    predictor = method.predictor(config.evaluation.predictor)
    encode = compiler.jit_optimized(
        make_encoder(predictor), deterministic=config.train.deterministic
    )

    def of_inputs(inputs: np.ndarray) -> np.ndarray:
        return np.asarray(encode(variables, images.padded(inputs, size)))[: len(inputs)]

    return _unit(images.described(dataset, names, data, size, "encoding", of_inputs))


def textures_of(config: Config, dataset: Dataset, names: Sequence[str]) -> np.ndarray:
    """`acquisition.texture` of images at the network's size, standardized: `[N, D]`."""
    size = config.evaluation.batch_size
    found = images.described(dataset, names, config.data, size, "describing", textures.texture)
    return textures.standardized(found)


def _unit(vectors: np.ndarray) -> np.ndarray:
    """`[N, D]`, each of length 1."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(length, np.finfo(vectors.dtype).tiny)
