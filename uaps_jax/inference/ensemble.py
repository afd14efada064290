"""The members of a method's ensemble on images of any size, and features of the images."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax import compiler
from uaps_jax.acquisition import uncertainty
from uaps_jax.data import tiling
from uaps_jax.data.tiling import Tiled
from uaps_jax.inference import members as members_lib
from uaps_jax.inference.trained import TrainedModel
from uaps_jax.methods.base import Method
from uaps_jax.trees import Tree


class Batch(NamedTuple):
    """What networks give for B inputs of `[h, w]`.

    Attributes:
      probabilities: of the predictor, `[B, h, w, C]`.
      members: probabilities of the M members, `[M, B, h, w, C]`.
      features: of the encoder, `[B, D]`: the deepest level of its pyramid, averaged over space.
    """

    probabilities: jax.Array
    members: jax.Array
    features: jax.Array


Run = Callable[[Tree, jax.Array], Batch]
"""Of variables and images `[B, h, w, channels]` on the 0..255 scale."""


class Output(NamedTuple):
    """What is known of an image of `[H, W]` pixels.

    Attributes:
      image: the image.
      probabilities: of the predictor, float32 `[H, W, C]`.
      entropy: of the mean of the members, in nats, float32 `[H, W]`.
      disagreement: of the members (BALD), in nats, at most the entropy, `[H, W]`; None for a
        single member.
      features: of unit length, float32 `[D]`; of several tiles their mean, scaled.
    """

    image: Tiled
    probabilities: np.ndarray
    entropy: np.ndarray
    disagreement: np.ndarray | None
    features: np.ndarray


def make(method: Method, predictor: str) -> Run:
    """The jitted function.

    Args:
      method: of the model.
      predictor: one of its names, or "" for the first.
    """
    chosen = method.predictor(predictor)
    decoders, encode = members_lib.decoders(method), members_lib.encoder_features(chosen)

    @compiler.jit_optimized
    def run(variables: Tree, images: jax.Array) -> Batch:
        return Batch(
            probabilities=chosen(variables, images),
            members=decoders(variables, images),
            features=encode(variables, images),
        )

    return run


def outputs(model: TrainedModel, run: Run, images: Iterable[Tiled]) -> Iterator[Output]:
    """The outputs of images, in their order; no more of them are held than fill a batch.

    Uncertainties are those of the tiles, blended where these overlap.

    Args:
      model: the model.
      run: what `make` gives for it.
      images: with the tiles of `model.config.data`.
    """
    data, size = model.config.data, model.config.evaluation.batch_size
    features: deque[np.ndarray] = deque()

    def of_tiles(tiles: np.ndarray, number: int) -> list[np.ndarray]:
        del number
        count = len(tiles)
        padded = np.concatenate([tiles, np.zeros((size - count, *tiles.shape[1:]), tiles.dtype)])
        found = run(model.variables, jnp.asarray(padded))
        members = np.asarray(found.members)[:, :count]
        features.extend(np.asarray(found.features)[:count])
        maps = [uncertainty.entropy(members)]
        if len(members) > 1:
            maps.append(uncertainty.bald(members))
        return [
            np.asarray(found.probabilities)[:count],
            *(of_pixels.astype(np.float32) for of_pixels in maps),
        ]

    for whole in tiling.assembled(images, of_tiles, data, size):
        probabilities, entropy, *others = whole.outputs
        mean = np.mean([features.popleft() for _ in whole.image.corners], 0)
        yield Output(
            image=whole.image,
            probabilities=probabilities,
            entropy=entropy,
            disagreement=others[0] if others else None,
            features=mean / max(float(np.linalg.norm(mean)), np.finfo(np.float32).tiny),
        )
