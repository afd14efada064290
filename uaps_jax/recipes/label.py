"""The pass that writes the pseudo-labels of unlabeled images, as a folder of targets."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import numpy as np

from uaps_jax import compiler, files, inference, palette
from uaps_jax.data import prepare, targets
from uaps_jax.datasets.common import open_image, read_mask
from uaps_jax.inference import TrainedModel
from uaps_jax.inference.augmented import augmented
from uaps_jax.recipes import images, quality, ranking
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
    """

    def write(place: Place) -> None:
        run = place.inputs[model]
        trained = inference.load(run, "best" if checkpoints.has_best(run) else "latest")
        images.check_fit(trained.config.data)
        names = sorted(place.split["unlabeled"])
        if ranking_of:
            names = ranking.names_of(place.inputs[ranking_of] / ranking.FILE, part)
        masks = place.folder / targets.MASKS
        _write_masks(place, trained, names, masks, scales, flip)
        written = _written(trained, names, masks)
        scores = quality.quality(written, place.dataset, trained.config.data)
        files.write_text(place.folder / QUALITY, quality.to_json(scores))
        quality.log(f"{len(names)} pseudo-labels of stage {name}", scores)

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
        },
        write=write,
    )


def file_of(masks: Path, name: str) -> Path:
    """The mask of an image in the folder of the masks."""
    return masks / f"{name}{targets.SUFFIX}"


def _write_masks(
    place: Place,
    trained: TrainedModel,
    names: Sequence[str],
    masks: Path,
    scales: Sequence[float],
    flip: bool,
) -> None:
    """Writes the masks that an interrupted pass has not written."""
    config = trained.config
    data, size = config.data, config.evaluation.batch_size
    predictor = trained.method.predictor(trained.predictor)
    predict = augmented(predictor, scales, flip=flip, stride=config.network.stride)

    @functools.partial(compiler.jit_optimized, deterministic=config.train.deterministic)
    def classes(variables: Tree, batch: jax.Array) -> jax.Array:
        return predict(variables, batch).argmax(-1).astype(np.uint8)

    # Whole batches are skipped or repeated: what an image gets does not depend on a resume.
    batches = [names[start : start + size] for start in range(0, len(names), size)]
    missing = [n for b in batches if not all(file_of(masks, n).exists() for n in b) for n in b]
    for pool in images.pools(place.dataset, missing, data, size, "labeling"):
        found = np.asarray(classes(trained.variables, images.padded(pool.images, size)))
        for row, name in enumerate(pool.names):
            part, index = place.dataset.position[name]
            width, height = open_image(place.dataset.records[part][index]["image"]).size
            file = file_of(masks, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            mask = prepare.restored(found[row], (height, width), data)
            files.write_bytes(file, palette.png(mask))


def _written(
    trained: TrainedModel, names: Sequence[str], masks: Path
) -> Iterator[tuple[str, np.ndarray]]:
    """The masks at the size of the network's input."""
    for name in names:
        yield name, prepare.mask(read_mask(file_of(masks, name)), trained.config.data)
