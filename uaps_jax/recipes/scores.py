"""The pass that scores the models of a recipe on the test images, with and without a CRF."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from uaps_jax import config as config_lib
from uaps_jax import files, inference
from uaps_jax.config import CRFConfig
from uaps_jax.data.source import Pool
from uaps_jax.evaluation import metrics
from uaps_jax.inference import TrainedModel
from uaps_jax.recipes import images
from uaps_jax.recipes.stage import Pass, Place
from uaps_jax.training import checkpoints
from uaps_jax.training.workdir import finite_or_none

TABLE, DETAILS = "scores.csv", "scores.json"
SHOWN = ("dataset_iou", "dataset_iou_foreground", "image_iou", "image_dice", "pixel_accuracy")


def scores(*, name: str, models: Mapping[str, str], checkpoint: str, crf: CRFConfig) -> Pass:
    """The scores of models on the test images, at the size of the network's input.

    Writes `scores.csv`, a line for each model without and with the CRF, and `scores.json`, with the
    scores of every class.

    Args:
      name: of the stage.
      models: name of a model in the table -> the stage of its training.
      checkpoint: "best" or "latest"; "latest" where there is no best one.
      crf: refines predictions; none for no iterations.
    """

    def write(place: Place) -> None:
        found = []
        for what, stage in models.items():
            run = place.inputs[stage]
            which = checkpoints.existing(run, checkpoint)
            for with_crf in (False, True) if crf.iterations else (False,):
                used = config_lib.flatten(crf, "evaluation.crf.")
                if not with_crf:
                    used["evaluation.crf.iterations"] = 0
                model = inference.load(run, which, overrides=used)
                found.append(
                    {"model": what, "crf": with_crf, "step": model.step, **_scored(place, model)}
                )
        files.write_text(place.folder / DETAILS, json.dumps(found, indent=1) + "\n")
        table = _to_csv(found)
        files.write_text(place.folder / TABLE, table)
        logging.info("scores on the test images, in percent:\n%s", table)

    return Pass(
        name=name,
        folder=name,
        inputs=tuple(dict.fromkeys(models.values())),
        options={
            "pass": "scores",
            "models": dict(models),
            "checkpoint": checkpoint,
            **config_lib.flatten(crf, "crf."),
        },
        write=write,
    )


def _scored(place: Place, model: TrainedModel) -> dict[str, Any]:
    classes = len(place.dataset.class_names)
    config = model.config

    def confusions(pool: Pool) -> np.ndarray:
        pairs = zip(pool.masks, model.predict_pool(pool).masks, strict=True)
        return np.stack([metrics.confusion(*pair, classes) for pair in pairs])

    names, size = sorted(place.split["test"]), config.evaluation.batch_size
    pools = images.pools(place.dataset, names, config.data, size, "scoring")
    found = metrics.scores(np.concatenate(list(map(confusions, pools))), place.dataset.class_names)
    return {name: finite_or_none(value) for name, value in found.items()}


def _to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["model", "crf", "step", *SHOWN])
    for row in rows:
        numbers = ["" if row[name] is None else f"{row[name]:.2f}" for name in SHOWN]
        writer.writerow([row["model"], "with" if row["crf"] else "without", row["step"], *numbers])
    return text.getvalue()
