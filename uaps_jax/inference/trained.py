"""A trained model: a checkpoint, and what it takes to predict with it.

model = uaps_jax.load("runs/first/fixmatch")
prediction = model.predict("part.png")
print(prediction.score, prediction.not_ok)
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import jax

from uaps_jax import methods
from uaps_jax.config import Config
from uaps_jax.data import protocols, tiling
from uaps_jax.data.photographs import Photographs
from uaps_jax.data.source import Pool
from uaps_jax.evaluation import image_score
from uaps_jax.evaluation.decision import Decision
from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.inference import images, pools, refinement, settings, tiles
from uaps_jax.inference.images import Image
from uaps_jax.inference.pools import Predictions, PredictPool
from uaps_jax.inference.prediction import Prediction, of_output
from uaps_jax.inference.refinement import Refine
from uaps_jax.methods import uncertainties
from uaps_jax.methods.base import Method, UncertaintyKind
from uaps_jax.training import checkpoints, decisions
from uaps_jax.trees import Tree


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TrainedModel:
    """The checkpoint of a run, read only.

    Attributes:
      config: validated settings of the training, and how to evaluate.
      method: that it names.
      directory: work directory of the run.
      checkpoint: what was asked for: "best", "latest" or a step.
      step: which one that is.
      variables: of the method.
      refine: the CRF of `evaluation.crf`; None for none.
      compiled: its predictors, of class ids (False) and of probabilities (True), by the rule of
        their scores.
    """

    config: Config
    method: Method = dataclasses.field(repr=False)
    directory: Path
    checkpoint: str
    step: int
    variables: Tree = dataclasses.field(repr=False)
    refine: Refine | None = dataclasses.field(repr=False)
    compiled: dict[tuple[bool, ScoreRule], PredictPool] = dataclasses.field(
        default_factory=dict, repr=False
    )

    @functools.cached_property
    def record(self) -> dict[str, Any]:
        """What it was trained on: build, classes, protocol, names of the images by part.

        Raises:
          CheckpointError: it is one of the earliest, which do not have it.
        """
        return checkpoints.read_record(self.directory, self.step)

    @property
    def class_names(self) -> tuple[str, ...]:
        """By class id, background first; raises as `record`."""
        return tuple(self.record["classes"])

    @property
    def photographs(self) -> Photographs | None:
        """Sizes and channels of the images it was trained on; None where they are not known."""
        entries = self.record.get(protocols.PHOTOGRAPHS)
        return None if entries is None else Photographs.from_json(entries)

    @property
    def predictors(self) -> tuple[str, ...]:
        """Names of the predictors that the method has."""
        return tuple(self.method.predictors)

    @property
    def predictor(self) -> str:
        """Name of the predictor that is used."""
        return self.config.evaluation.predictor or self.predictors[0]

    @property
    def uncertainty_kind(self) -> UncertaintyKind:
        """What the uncertainty is: its name, its unit, and what is white in its pictures."""
        return uncertainties.kind_of(self.method.uncertainty)

    @property
    def uncertainty_name(self) -> str:
        """What the uncertainty is: `entropy`, `KL of the decoders` or `predicted variance`."""
        return self.uncertainty_kind.name

    @functools.cached_property
    def decision(self) -> Decision | None:
        """Which images are OK: set on the validation images by training and evaluation.

        None if it was not set, as for a data set without good images.

        Raises:
          CheckpointError: its file is damaged.
        """
        return decisions.read(self.directory, self.step, self.predictor)

    @property
    def score_rule(self) -> ScoreRule:
        """The rule of the scores: that of the decision, else that of the settings."""
        if self.decision is not None:
            return self.decision.rule
        return image_score.rule_of(self.config.evaluation.decision)

    def at(self, checkpoint: str | int) -> TrainedModel:
        """The model of another checkpoint of the run; nothing is compiled again.

        Raises:
          CheckpointError: there is none, or it is damaged.
        """
        step = checkpoints.find_step(self.directory, str(checkpoint))
        variables = _variables(self.method, self.directory, step)
        return dataclasses.replace(self, checkpoint=str(checkpoint), step=step, variables=variables)

    @overload
    def predict(self, image: Image) -> Prediction: ...

    @overload
    def predict(self, image: list[Any] | tuple[Any, ...]) -> list[Prediction]: ...

    def predict(self, image: Any) -> Prediction | list[Prediction]:
        """The prediction of an image of any size, in that size, or of each one of a list.

        An image is fitted to the network's input as in training (`data.fit`): resized, or, at
        `data.scale`, covered by tiles. A list goes through the network in batches of
        `evaluation.batch_size`, as the images of a folder do with `--mode=predict`; a single image
        is a batch of its own tiles, which is faster. The uncertainty by perturbed decoders depends
        on the batch.

        Args:
          image: uint8 `[H, W]`, grey, or `[H, W, 3]`, RGB; or the path of an image file; or a list
            of these.

        Raises:
          ImageError: an image is none of that, or cannot be read; a `ValueError`.
        """
        data, size = self.config.data, self.config.evaluation.batch_size
        several: Sequence[Image] = image if isinstance(image, list | tuple) else [image]
        names = [f"image {row}" for row in range(len(several))] if several is image else ["image"]
        tiled: Iterable[tiling.Tiled] = (
            tiling.tiled(
                name, functools.partial(images.rgb, one, name, data.folder.white), data, size
            )
            for name, one in zip(names, several, strict=True)
        )
        if several is not image:
            tiled = list(tiled)
            size = min(size, len(tiled[0].corners))
        predictions = [
            of_output(self.refined(output), self.decision)
            for output in self.outputs(tiled, soft=True, batch_size=size)
        ]
        return predictions if several is image else predictions[0]

    def predict_pool(self, pool: Pool) -> Predictions:
        """Class ids and uncertainties of images at the network's size."""
        batch_size = self.config.evaluation.batch_size
        if self.refine is None:
            return self._by_batch(batch_size, soft=False)(pool, 0)
        predict = self._by_batch(batch_size, soft=True)
        return refinement.refined_pool(pool, predict, self.refine, batch_size)

    def outputs(
        self, tiled: Iterable[tiling.Tiled], *, soft: bool, batch_size: int
    ) -> Iterator[tiles.Output]:
        """The outputs of the network for images of any size; `soft`: probabilities, else class ids.

        They are without the CRF, which `refined` applies.
        """
        predict = self._by_batch(batch_size, soft=soft)
        return tiles.outputs(tiled, predict, self.config.data, self.score_rule, batch_size)

    def refined(self, output: tiles.Output) -> tiles.Output:
        """An output with probabilities, refined by the CRF, if there is one.

        Raises:
          ImageError: the image is read again for it, and cannot be.
        """
        return output if self.refine is None else refinement.refined(output, self.refine)

    def _by_batch(self, batch_size: int, *, soft: bool) -> Callable[[Pool, int], Predictions]:
        """The predictions of a pool, given with the number of its first batch."""
        rule = self.score_rule
        if (soft, rule) not in self.compiled:
            self.compiled[soft, rule] = pools.make_predictor(
                self.config, self.method, rule, soft=soft
            )
        predictor = self.compiled[soft, rule]
        return lambda pool, first: predictor(
            self.variables, pool, first=first, batch_size=batch_size
        )


def load(
    workdir: str | os.PathLike[str],
    checkpoint: str | int = "best",
    *,
    predictor: str = "",
    overrides: Mapping[str, Any] | None = None,
) -> TrainedModel:
    """The trained model of a work directory.

    Example:
      model = load("runs/first/fixmatch", overrides={"evaluation.batch_size": 8})

    Args:
      workdir: of the run.
      checkpoint: "best" (on validation), "latest", or a step.
      predictor: one of the method's (`TrainedModel.predictors`); "" for the run's own.
      overrides: settings by dotted key, of those that may differ between training and evaluation:
        `evaluation.*`, `network.dtype`, `data.folder.white` and where data are.

    Raises:
      CheckpointError: there is no such checkpoint, or it is damaged.
      ConfigError: an override does not exist or cannot be changed, the method has no such
        predictor, or the checkpoint's decision was set with other settings than the overrides.
    """
    directory = Path(workdir)
    step = checkpoints.find_step(directory, str(checkpoint))
    chosen = {"evaluation.predictor": predictor} if predictor else {}
    config = settings.read(directory, step, {**(overrides or {}), **chosen})
    model = restore(config, directory, str(checkpoint))
    settings.check_decision(config, model.decision, model.step, overrides or ())
    return model


def restore(config: Config, directory: Path, checkpoint: str) -> TrainedModel:
    """The model of a checkpoint, with its settings at hand.

    Raises:
      CheckpointError: there is no such checkpoint, or it is damaged.
      ConfigError: the method has no such predictor.
    """
    step = checkpoints.find_step(directory, checkpoint)
    method = methods.build(config)
    method.predictor(config.evaluation.predictor)
    return TrainedModel(
        config=config,
        method=method,
        directory=directory,
        checkpoint=checkpoint,
        step=step,
        variables=_variables(method, directory, step),
        refine=refinement.build(config.evaluation.crf),
    )


def _variables(method: Method, directory: Path, step: int) -> Tree:
    """The variables of a method in a checkpoint."""
    like = jax.eval_shape(lambda: method.variables(*method.init(0)))
    return checkpoints.restore_variables(directory, step, like)
