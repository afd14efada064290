"""Comparison of an exported model with its checkpoint."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from uaps_jax.config import Config
from uaps_jax.data import prepare, resample
from uaps_jax.evaluation import image_score
from uaps_jax.evaluation.decision import Decision
from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.inference.outputs import ExportError, outputs
from uaps_jax.methods.base import Predictor
from uaps_jax.methods.uncertainties import Exportable, PredictedVariance
from uaps_jax.trees import Tree


class Differences(NamedTuple):
    """The largest differences between an exported model and its checkpoint.

    Attributes:
      probabilities: of a class.
      uncertainty: of a variance, divided by it where it is above 1.
    """

    probabilities: float
    uncertainty: float


LIMITS = Differences(probabilities=1e-4, uncertainty=1e-3)
"""What an export may differ by, on noise; on images the differences are a tenth and less. The slope
of the entropy, log p, and the exponential of a variance make the uncertainty less exact than the
probabilities."""


Run = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""Images, uint8 `[N, H, W, 3]`, to the outputs of `onnx_file.model.to_onnx` by name."""


def compared(
    file: Path,
    run: Run,
    config: Config,
    predictor: Predictor,
    uncertainty: Exportable | None,
    variables: Tree,
    rule: ScoreRule,
    decision: Decision | None,
) -> Differences:
    """The largest differences on random images; the file is named in the error.

    Raises:
      ExportError: they exceed `LIMITS`, or scores or verdicts are not those of the probabilities.
    """
    sides = [
        max(int(side / config.data.scale), 1) for side in (config.data.height, config.data.width)
    ]
    shape = (3, *sides, 3)  # which the network sees at the size of its input
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    for shown in (images[:1], images):
        _check_scores(file, run(shown), rule, decision)
    worst = differences(run, config, predictor, uncertainty, variables, images)
    for name, difference, limit in zip(Differences._fields, worst, LIMITS, strict=True):
        if not difference <= limit:
            raise ExportError(
                f"{name} of the exported model differ by {difference:.1e} from the checkpoint's, "
                f"more than {limit:.0e}: {file} is not written"
            )
    return worst


def differences(
    run: Run,
    config: Config,
    predictor: Predictor,
    uncertainty: Exportable | None,
    variables: Tree,
    images: np.ndarray,
) -> Differences:
    """The largest differences between an exported model and its checkpoint.

    The model sees all images at once, and the first one alone.

    Args:
      run: the exported model.
      config: of the checkpoint.
      predictor: that was exported, computing in float32.
      uncertainty: the uncertainty that was exported; None for the entropy.
      variables: of the checkpoint.
      images: uint8 `[N, H, W, 3]`, before any transposition: with `data.fit` "resize" of the
        network's size.
    """
    seen = np.stack([prepare.scaled(image, config.data) for image in images])
    height, width = seen.shape[1:3]
    missing = [(0, -side % config.network.stride) for side in (height, width)]
    inputs = prepare.channels(np.pad(seen, ((0, 0), *missing, (0, 0)), mode="edge"), config.data)
    if config.data.transpose:
        inputs = inputs.swapaxes(1, 2)
    with jax.default_matmul_precision("highest"):
        predict = jax.jit(functools.partial(outputs, predictor, uncertainty))
        probabilities, unsure = map(np.asarray, predict(variables, inputs))
    if config.data.transpose:
        probabilities, unsure = probabilities.swapaxes(1, 2), unsure.swapaxes(1, 2)
    expected = (
        probabilities[:, :height, :width].transpose(0, 3, 1, 2),
        np.stack([resample.nearest(u[:height, :width], *images.shape[1:3]) for u in unsure]),
    )
    scale = np.ones_like(expected[1])
    if isinstance(uncertainty, PredictedVariance):
        scale = np.maximum(expected[1], 1)
    apart = []
    for count in (1, len(images)):
        found, wanted = run(images[:count]), [array[:count] for array in expected]
        of_uncertainty = np.abs(found["uncertainty"] - wanted[1]) / scale[:count]
        apart.append([np.abs(found["probabilities"] - wanted[0]).max(), of_uncertainty.max()])
    return Differences(*np.max(apart, axis=0).tolist())  # keeps NaN


def check_full_size(file: Path, run: Run, enlarged: Run, config: Config) -> None:
    """Checks that a model gives what another one does, its probabilities at the photographs' size.

    Raises:
      ExportError: they differ.
    """
    data = config.data
    size = (max(int(1.5 * data.height / data.scale), 1), max(int(1.2 * data.width / data.scale), 1))
    images = np.random.default_rng(1).integers(0, 256, (2, *size, 3), np.uint8)
    expected, found = dict(run(images)), enlarged(images)
    rows = expected["probabilities"].transpose(0, 2, 3, 1)
    resized = np.stack([resample.nearest(one, *size) for one in rows]).transpose(0, 3, 1, 2)
    expected["probabilities"] = resized
    for name, values in expected.items():
        if found[name].shape != values.shape or not np.allclose(found[name], values, atol=1e-6):
            raise ExportError(
                f"{name} of the model with probabilities at the size of photographs differ from "
                f"those of the model without: {file} is not written"
            )


def _check_scores(
    file: Path, outputs: Mapping[str, np.ndarray], rule: ScoreRule, decision: Decision | None
) -> None:
    """Checks scores and verdicts of an exported model against those of its probabilities.

    Raises:
      ExportError: they differ.
    """
    probabilities = outputs["probabilities"].transpose(0, 2, 3, 1)
    scores = [image_score.score(one, rule) for one in probabilities]
    same = np.allclose(outputs["score"], scores, rtol=1e-5, atol=1e-6)
    if decision is not None:
        verdicts = [decision.is_not_ok(score) for score in outputs["score"].tolist()]
        same = same and outputs["not_ok"].tolist() == verdicts
    if not same:
        raise ExportError(
            f"the scores of the exported model are {outputs['score'].tolist()}, those of its "
            f"probabilities {scores}: {file} is not written"
        )
