"""Scores of checkpoints: measured, printed, and kept in `evaluations.jsonl`."""

from __future__ import annotations

from typing import Any

import jax

from uaps_jax.data import leakage, protocols
from uaps_jax.data.source import Dataset, Pool
from uaps_jax.data.whole_images import WholeImages
from uaps_jax.evaluation import evaluate as evaluation
from uaps_jax.inference import TrainedModel
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
    """Scores checkpoints of one run; compiles each predictor once for all of them."""

    def __init__(self) -> None:
        self._confusions: dict[str, evaluation.ConfusionFunction] = {}

    def score(
        self,
        model: TrainedModel,
        part: str,
        dataset: Dataset,
        pool: Pool | WholeImages,
        predictor: str = "",
    ) -> dict[str, Any]:
        """Scores a checkpoint on a pool, prints the result, adds it to evaluations.jsonl.

        Args:
          model: of the checkpoint.
          part: name of the pool.
          dataset: it is of.
          pool: images and masks.
          predictor: one of the method's; the configuration's if "".
        """
        config = model.config
        predictor = predictor or model.predictor
        if predictor not in self._confusions:
            self._confusions[predictor] = evaluation.make_confusion_function(
                model.method.predictor(predictor),
                config.data.classes,
                deterministic=config.train.deterministic,
            )
        scores = evaluation.evaluate(
            self._confusions[predictor],
            model.variables,
            pool,
            dataset.class_names,
            config.evaluation.batch_size,
        )
        entry = {
            "checkpoint": model.checkpoint,
            "step": model.step,
            "part": part,
            "predictor": predictor,
            "dataset": config.data.name,
            "build": dataset.build,
            "protocol": config.data.protocol,
            "labeled": len(model.record["labeled"]),
            "labeled_groups": _labeled_groups(model),
            "split_seed": config.data.split_seed,
            "method": config.method.name,
            "seed": config.train.seed,
            "device": jax.devices()[0].device_kind,
        } | scores
        workdir.append_jsonl(model.directory / "evaluations.jsonl", entry)
        lines = [
            f"{part} scores, checkpoint {model.checkpoint} (step {model.step}), "
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


def _labeled_groups(model: TrainedModel) -> int | None:
    """Leakage groups of the labeled images; None where the checkpoint does not say that."""
    counts: leakage.Sizes = model.record.get(protocols.SIZES, {})
    return counts["labeled"]["groups"] if counts else None
