"""What a network finds in images: predictions, scores by an ensemble, features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from uaps_jax import compiler, palette
from uaps_jax.acquisition import texture as textures
from uaps_jax.acquisition.score import Score
from uaps_jax.config import Config
from uaps_jax.data import source, tiling
from uaps_jax.data.source import Dataset
from uaps_jax.inference import TrainedModel, ensemble
from uaps_jax.inference import members as members_lib
from uaps_jax.inference.members import Kind
from uaps_jax.labels import IGNORE
from uaps_jax.methods.base import Method
from uaps_jax.recipes import images
from uaps_jax.recipes.acquire import Members
from uaps_jax.trees import Tree


class Observed(NamedTuple):
    """What was found for the N images.

    Attributes:
      masks: predicted, at the size of the images, as PNG of class ids (`palette.png`); 255 where
        the network does not see an image that is padded or cropped.
      shares: of the pixels that the network sees, those that are predicted as a defect, `[N]`.
      scores: `[N]`, not negative; None where none were asked for.
      features: of unit length, `[N, D]`.
    """

    masks: list[bytes]
    shares: np.ndarray
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

    An image has the score of its network input or, of several tiles, of their maps, blended.

    Args:
      models: the checkpoints of a run, the newest last, for "checkpoints"; else one.
      dataset: of the images.
      names: of the images.
      score: None for no scores.
      members: of the ensemble.
    """
    last = models[-1]
    config, data = last.config, last.config.data
    run = ensemble.make(
        last.method,
        last.predictor,
        kind_of(members) if score else "prediction",
        deterministic=config.train.deterministic,
    )
    inputs = images.inputs(dataset, names, data, config.evaluation.batch_size, "scoring")
    masks, shares, scores, features = [], [], [], []
    for output in ensemble.outputs(
        models, run, inputs, images.settings_of_inputs(data), score.maps if score else _no_maps
    ):
        probabilities, *maps = output.whole.blended()
        size = output.image.size
        mask = images.own_size(tiling.likeliest(probabilities), size, data)
        masks.append(palette.png(mask))
        shares.append(float((mask[mask != IGNORE] > 0).mean()))
        features.append(output.features)
        if score:
            seen = [images.without_padding(one, size, data) for one in maps]
            scores.append(max(score.of_maps(*seen), 0.0))
    return Observed(
        masks=masks,
        shares=np.array(shares),
        scores=np.array(scores) if score else None,
        features=np.stack(features),
    )


def kind_of(members: Members) -> Kind:
    """The members of one checkpoint."""
    return "prediction" if members == "checkpoints" else members


def features_of(
    config: Config, method: Method, variables: Tree, dataset: Dataset, names: Sequence[str]
) -> np.ndarray:
    """The features of images by a network before its training, of unit length, `[N, D]`."""
    size = config.evaluation.batch_size
    predictor = method.predictor(config.evaluation.predictor)
    encode = compiler.jit_optimized(
        members_lib.encoder_features(predictor), deterministic=config.train.deterministic
    )

    def of_inputs(inputs: np.ndarray) -> np.ndarray:
        return np.asarray(encode(variables, source.padded(inputs, size)))[: len(inputs)]

    found = images.vectors(dataset, names, config.data, size, "encoding", of_inputs)
    return ensemble.of_unit_length(found)


def textures_of(config: Config, dataset: Dataset, names: Sequence[str]) -> np.ndarray:
    """`acquisition.texture` of images as the network sees them, standardized: `[N, D]`."""
    size = config.evaluation.batch_size
    found = images.vectors(dataset, names, config.data, size, "describing", textures.texture)
    return textures.standardized(found)


def _no_maps(members: np.ndarray) -> Sequence[np.ndarray]:
    del members
    return ()
