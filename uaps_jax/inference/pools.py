"""Predictions on a pool of images, at the size that the network sees."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import jax
import numpy as np

from uaps_jax import compiler
from uaps_jax.config import Config
from uaps_jax.data.source import Pool
from uaps_jax.evaluation import evaluate, image_score
from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.methods import uncertainties
from uaps_jax.methods.base import Method, UncertaintyKind
from uaps_jax.trees import Tree


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predictions:
    """The predictions of a trained model on a pool of images.

    Attributes:
      values: class ids, uint8 `[N, H, W]`, or, where they were asked for, probabilities
        `[N, H, W, C]`.
      uncertainty: float32 `[N, H, W]`, in the unit of its kind.
      scores: of the images, float32 `[N]`.
      kind: of the uncertainty.
    """

    values: np.ndarray
    uncertainty: np.ndarray
    scores: np.ndarray
    kind: UncertaintyKind

    @property
    def masks(self) -> np.ndarray:
        """Class ids, uint8 `[N, H, W]`."""
        return self.values if self.values.ndim == 3 else self.values.argmax(-1).astype(np.uint8)


class PredictPool(Protocol):
    """A jitted predictor."""

    def __call__(self, variables: Tree, pool: Pool, *, first: int, batch_size: int) -> Predictions:
        """Predicts a pool in batches; the last one is padded to `batch_size`.

        Args:
          variables: of the method.
          pool: images at the network's size.
          first: number of the pool's first batch: a pool that comes in pieces of whole batches is
            predicted as it would be in one.
          batch_size: images at once.
        """


def make_predictor(config: Config, method: Method, rule: ScoreRule, *, soft: bool) -> PredictPool:
    """The predictor that `config.evaluation.predictor` names; each batch size compiles once.

    With `soft`, its `values` are probabilities, else class ids; `rule` makes its scores. The
    perturbed decoders of an uncertainty draw from the run's seed and the number of the batch alone.
    """
    predictor = method.predictor(config.evaluation.predictor)
    key = jax.random.key(config.train.seed)

    @compiler.jit_optimized
    def run(
        variables: Tree, images: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        probabilities = predictor(variables, images)
        if method.uncertainty is None:
            uncertainty = jax.scipy.special.entr(probabilities).sum(-1)
        else:
            uncertainty = method.uncertainty(variables, images, key)
        outputs = probabilities if soft else probabilities.argmax(-1).astype(np.uint8)
        return outputs, uncertainty, image_score.scores(probabilities, rule)

    def predict(variables: Tree, pool: Pool, *, first: int, batch_size: int) -> Predictions:
        predictions, maps, scores = [], [], []
        for number, (images, _, count) in enumerate(evaluate.batches(pool, batch_size), first):
            outputs, uncertainty, score = run(variables, images, jax.random.fold_in(key, number))
            predictions.append(np.asarray(outputs)[:count])
            maps.append(np.asarray(uncertainty)[:count])
            scores.append(np.asarray(score)[:count])
        return Predictions(
            values=np.concatenate(predictions),
            uncertainty=np.concatenate(maps),
            scores=np.concatenate(scores),
            kind=uncertainties.kind_of(method.uncertainty),
        )

    return predict
