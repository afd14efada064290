"""The pass that writes the pseudo-labels of unlabeled images, as a folder of targets."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import jax
import numpy as np
from absl import logging

from uaps_jax import compiler, files, inference
from uaps_jax import config as config_lib
from uaps_jax.config import CRFConfig
from uaps_jax.data import source, targets, tiling
from uaps_jax.datasets.pieces import count_values
from uaps_jax.inference import TrainedModel, refinement
from uaps_jax.inference.augmented import augmented
from uaps_jax.recipes import images, quality, ranking, target_files
from uaps_jax.recipes.stage import Pass, Place
from uaps_jax.training import checkpoints
from uaps_jax.trees import Tree

QUALITY = "quality.json"


def label(
    *,
    name: str,
    folder: str,
    model: str,
    ranking_of: str,
    part: str,
    scales: Sequence[float],
    flip: bool,
    crf: CRFConfig,
) -> Pass:
    """The pseudo-labels of the best checkpoint of a training, or of the last if none has a score.

    Writes `mask/NAME.png`, palette PNGs that `data.targets` reads, and `quality.json`, their scores
    on those of the images that have a mask; `null` if none has.

    Args:
      name: of the stage.
      folder: of its files.
      model: the stage of the training.
      ranking_of: the stage of a ranking; "" to label all unlabeled images.
      part: of the ranking, which is labeled; "" without one.
      scales: of test-time augmentation (`inference.augmented`); (1.0,) for none.
      flip: likewise; False for none.
      crf: refines the probabilities; none for no iterations.
    """

    def write(place: Place) -> None:
        run = place.inputs[model]
        trained = inference.load(run, checkpoints.existing(run, "best"))
        images.check_fit(trained.config.data)
        names = sorted(place.split["unlabeled"])
        if ranking_of:
            names = ranking.names_of(place.inputs[ranking_of] / ranking.FILE, part)
        _write_masks(place, trained, names, scales, flip, crf)
        counts = np.zeros(len(place.dataset.class_names), np.int64)
        written = _counted(_written(trained, names, place.folder), counts)
        scores = quality.quality(written, place.dataset, trained.config.data)
        files.write_text(place.folder / QUALITY, quality.to_json(scores))
        quality.log(f"{len(names)} pseudo-labels of stage {name}", scores)
        warn_without_defects(name, model, counts)

    return Pass(
        name=name,
        folder=folder,
        inputs=(model, ranking_of) if ranking_of else (model,),
        options={
            "pass": "label",
            "model": model,
            "checkpoint": "best",
            "ranking_of": ranking_of,
            "part": part,
            "scales": list(scales),
            "flip": flip,
            # A recipe from before there was a CRF is not run again.
            **({"crf": config_lib.flatten(crf)} if crf.iterations else {}),
        },
        write=write,
    )


def warn_without_defects(name: str, model: str, counts: np.ndarray) -> None:
    """Warns that no pseudo-label has a defect: training on them cannot find any.

    Args:
      name: of the stage.
      model: the stage of the training that predicted them.
      counts: pixels of each class in all pseudo-labels, `[C]`.
    """
    if counts[0] and not counts[1:].any():
        logging.warning(
            "stage %s: no pseudo-label has a defect pixel, because the network of stage %s "
            "predicts none; what learns them will find none either. Train %s until it finds "
            "defects: more steps, more labeled images, or a loss with Dice",
            name,
            model,
            model,
        )


def _counted(
    labels: Iterable[tuple[str, np.ndarray]], counts: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """The same, whose pixels are added to `counts`."""
    for name, label in labels:
        counts += count_values(label[label < len(counts)], len(counts))  # without padding
        yield name, label


def _write_masks(
    place: Place,
    trained: TrainedModel,
    names: Sequence[str],
    scales: Sequence[float],
    flip: bool,
    crf: CRFConfig,
) -> None:
    """Writes the masks that an interrupted pass has not written."""
    config = trained.config
    data, size = config.data, config.evaluation.batch_size
    predictor = trained.method.predictor(trained.predictor)
    predict = augmented(predictor, scales, flip=flip, stride=config.network.stride)
    refine = refinement.build(crf)

    @functools.partial(compiler.jit_optimized, deterministic=config.train.deterministic)
    def probabilities(variables: Tree, batch: jax.Array) -> jax.Array:
        found = predict(variables, batch)
        return found if refine else found.argmax(-1).astype(np.uint8)

    left = target_files.missing(place.folder, (targets.MASKS,), names, size)
    for pool in images.pools(place.dataset, left, data, size, "labeling"):
        found = np.asarray(probabilities(trained.variables, source.padded(pool.images, size)))
        for name, image, values in zip(pool.names, pool.images, found, strict=False):
            mask = tiling.likeliest(refine(image, values)) if refine else values
            target_files.write(place.folder, targets.MASKS, name, mask, place.dataset, data)


def _written(
    trained: TrainedModel, names: Sequence[str], folder: Path
) -> Iterator[tuple[str, np.ndarray]]:
    """The masks at the size of the network's input."""
    for name in names:
        yield name, target_files.read(folder, targets.MASKS, name, trained.config.data)
