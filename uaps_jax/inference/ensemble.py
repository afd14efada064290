"""What the members of an ensemble find in images of any size, and features of the images."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax import compiler
from uaps_jax.acquisition import uncertainty
from uaps_jax.data import source, tiling
from uaps_jax.data.input_settings import InputSettings
from uaps_jax.data.tiling import Assembled, Tiled
from uaps_jax.inference import members as members_lib
from uaps_jax.inference.members import Kind
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

OfMembers = Callable[[np.ndarray], Sequence[np.ndarray]]
"""Members' probabilities for an input, `[M, h, w, C]`, to maps `[h, w, ...]`."""


class Output(NamedTuple):
    """What is known of an image.

    Attributes:
      whole: the image, with the probabilities of the predictor, `[..., C]`, and the maps of
        `OfMembers` as its outputs.
      features: of unit length, float32 `[D]`; of several tiles their mean, scaled.
    """

    whole: Assembled
    features: np.ndarray

    @property
    def image(self) -> Tiled:
        return self.whole.image


def make(method: Method, predictor: str, kind: Kind, *, deterministic: bool) -> Run:
    """The jitted function.

    Args:
      method: of the model.
      predictor: one of its names, or "" for the first.
      kind: of the members.
      deterministic: see `compiler.jit_optimized`.
    """
    chosen = method.predictor(predictor)
    of_members, encode = (
        members_lib.of(method, chosen, kind),
        members_lib.encoder_features(chosen),
    )

    def run(variables: Tree, images: jax.Array) -> Batch:
        return Batch(
            probabilities=chosen(variables, images),
            members=of_members(variables, images),
            features=encode(variables, images),
        )

    jitted: Run = compiler.jit_optimized(run, deterministic=deterministic)
    return jitted


def entropy(members: np.ndarray) -> list[np.ndarray]:
    """The entropy of the members' mean, in nats, float32."""
    return [uncertainty.entropy(members).astype(np.float32)]


def entropy_and_disagreement(members: np.ndarray) -> list[np.ndarray]:
    """The entropy and, of several members, their disagreement (BALD), in nats, float32."""
    is_one = len(members) == 1
    others = [] if is_one else [uncertainty.bald(members).astype(np.float32)]
    return [*entropy(members), *others]


def outputs(
    models: Sequence[TrainedModel],
    run: Run,
    images: Iterable[Tiled],
    data: InputSettings,
    of_members: OfMembers,
) -> Iterator[Output]:
    """The outputs of images, in their order; no more of them are held than fill a batch.

    Maps are those of the tiles, blended where these overlap.

    Args:
      models: checkpoints of a run, whose members are put together; the last one predicts.
      run: what `make` gives for them.
      images: with their tiles.
      data: the settings that the tiles were made with.
      of_members: the maps.
    """
    last = models[-1]
    size = last.config.evaluation.batch_size
    features: deque[np.ndarray] = deque()

    def of_tiles(tiles: np.ndarray, number: int) -> list[np.ndarray]:
        del number
        count = len(tiles)
        padded = jnp.asarray(source.padded(tiles, size))
        found = [run(model.variables, padded) for model in models]
        members = np.concatenate([np.asarray(one.members)[:, :count] for one in found])
        features.extend(np.asarray(found[-1].features)[:count])
        # One image at a time: in float64, those of a batch would take much memory.
        maps = zip(*(of_members(members[:, row]) for row in range(count)), strict=True)
        return [np.asarray(found[-1].probabilities)[:count], *map(np.stack, maps)]

    for whole in tiling.assembled(images, of_tiles, data, size):
        mean = np.mean([features.popleft() for _ in whole.image.corners], 0)
        yield Output(whole, of_unit_length(mean))


def of_unit_length(vectors: np.ndarray) -> np.ndarray:
    """Vectors `[..., D]`, scaled."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(length, np.finfo(vectors.dtype).tiny)
