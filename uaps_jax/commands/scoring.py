"""Scores of checkpoints: measured, printed, and kept in `evaluations.jsonl`."""

from __future__ import annotations

from typing import Any

import jax

from uaps_jax.commands.trained import Checkpoint, TrainedRun
from uaps_jax.data.source import Dataset, Pool
from uaps_jax.evaluation import evaluate as evaluation
from uaps_jax.training import workdir

HEADLINE = (
    "image_iou",
    "image_dice",
    "dataset_iou",
    "dataset_iou_foreground",
    "pixel_accuracy",
    "clean_image_false_positive_rate",
)


class Scorer:
    """Scores checkpoints of a run; compiles each predictor once for all of them."""

    def __init__(self, run: TrainedRun) -> None:
        self._run = run
        self._confusions: dict[str, evaluation.ConfusionFunction] = {}

    def score(
        self, checkpoint: Checkpoint, part: str, dataset: Dataset, pool: Pool, predictor: str = ""
    ) -> dict[str, Any]:
        """Scores a checkpoint on a pool, prints the result, adds it to evaluations.jsonl.

        Args:
          checkpoint: whose variables.
          part: name of the pool.
          dataset: it is of.
          pool: images and masks.
          predictor: one of the method's; the configuration's if "".
        """
        config = self._run.config
        predictor = predictor or self._run.predictor
        if predictor not in self._confusions:
            self._confusions[predictor] = evaluation.make_confusion_function(
                self._run.method.predictor(predictor),
                config.data.classes,
                deterministic=config.train.deterministic,
            )
        scores = evaluation.evaluate(
            self._confusions[predictor],
            checkpoint.variables,
            pool,
            dataset.class_names,
            config.evaluation.batch_size,
        )
        entry = {
            "checkpoint": checkpoint.which,
            "step": checkpoint.step,
            "part": part,
            "predictor": predictor,
            "dataset": config.data.name,
            "build": dataset.build,
            "protocol": config.data.protocol,
            "labeled": len(checkpoint.record["labeled"]),
            "labeled_groups": checkpoint.labeled_groups,
            "split_seed": config.data.split_seed,
            "method": config.method.name,
            "seed": config.train.seed,
            "device": jax.devices()[0].device_kind,
        } | scores
        workdir.append_jsonl(self._run.directory / "evaluations.jsonl", entry)
        lines = [
            f"{part} scores, checkpoint {checkpoint.which} (step {checkpoint.step}), "
            f"predictor {predictor}, in percent:"
        ]
        lines += [f"  {name:32s} {scores[name]:6.2f}" for name in HEADLINE]
        lines += [f"  {name:32s} {value:6.2f}" for name, value in scores.items() if "/" in name]
        lines += [
            f"  {int(scores['images'])} images, "
            f"{int(scores['images_without_defect'])} of them without a defect"
        ]
        print("\n".join(lines), flush=True)
        return entry
