"""What the front door can do: each mode reads a request and writes into the work directory."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import jax
from absl import logging

from datasets.common import DataError
from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.config import Config, ConfigError
from uaps_jax.data import source
from uaps_jax.data.source import Dataset, Pool
from uaps_jax.evaluation import evaluate as evaluation
from uaps_jax.inference import predict as prediction
from uaps_jax.models import initialize
from uaps_jax.reports import figures
from uaps_jax.training import checkpoints, loop, workdir
from uaps_jax.trees import Tree

USER_ERRORS = (ConfigError, DataError, checkpoints.CheckpointError, loop.NonFiniteLoss)
"""Errors that a person can mend; their texts say how."""

SHEET_ROWS = 8
HEADLINE = (
    "image_iou",
    "image_dice",
    "dataset_iou",
    "dataset_iou_foreground",
    "pixel_accuracy",
    "clean_image_false_positive_rate",
)

INPUT_KEYS = tuple(
    f"data.{name}:"
    for name in ("height", "width", "transpose", "channels", "classes", "mean", "std")
)
"""Settings that a network's input depends on."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What a person asked for.

    Attributes:
      config: the settings; may be None where a checkpoint holds them.
      workdir: folder of the run.
      checkpoint: "best", "latest" or a step.
      input: folder of images to predict; None for the test split.
    """

    config: Config | None
    workdir: Path
    checkpoint: str
    input: Path | None


def train(request: Request) -> None:
    """Trains or resumes, then scores the test split at the best and the last checkpoint."""
    if request.config is None:
        raise ConfigError("--mode=train needs --config=configs/<dataset>_<method>.py")
    config = config_lib.validate(request.config)
    dataset = source.open_dataset(config.data)
    config_lib.check_classes(config, dataset.class_names)
    split = source.make_split(dataset, config.data)
    workdir.claim(request.workdir, config, split)
    sizes = ", ".join(f"{part} {len(names)}" for part, names in split.items())
    logging.info("%s, protocol %s: %s images", dataset.name, config.data.protocol, sizes)
    logging.info("devices: %s", ", ".join(str(d) for d in jax.devices()))

    started = time.perf_counter()
    labeled, unlabeled, val = (
        source.read(dataset, split[part], config.data) for part in ("labeled", "unlabeled", "val")
    )
    logging.info("images read in %.1f s", time.perf_counter() - started)
    method = methods.build(config)
    params = initialize.count(jax.eval_shape(lambda: method.init(config.train.seed))[0])
    logging.info("method %s: %s trainable parameters", config.method.name, f"{params:,}")
    started = time.perf_counter()
    pools = loop.TrainingPools(labeled=labeled, unlabeled=unlabeled, val=val)
    loop.train(config, request.workdir, pools, dataset.class_names)
    logging.info("training took %s", loop.duration(time.perf_counter() - started))

    figures.curves(request.workdir / "metrics.jsonl", request.workdir / "curves.png")
    test = source.read(dataset, split["test"], config.data)
    run = _Run(config, request.workdir)
    for which in ("latest", "best"):
        run.score(which, "test", dataset, test)
    run.predict("best", dataset, test)


def evaluate(request: Request) -> None:
    """Scores a checkpoint on the validation and test splits; needs no more than the checkpoint."""
    config = _config(request)
    dataset = source.open_dataset(config.data)
    config_lib.check_classes(config, dataset.class_names)
    split = source.make_split(dataset, config.data)
    run = _Run(config, request.workdir)
    for part in ("val", "test"):
        pool = source.read(dataset, split[part], config.data)
        run.score(request.checkpoint, part, dataset, pool)


def predict(request: Request) -> None:
    """Writes masks, overlays and uncertainty maps of the test split or of a folder of images."""
    config = _config(request)
    run = _Run(config, request.workdir)
    if request.input is not None:
        run.predict_folder(request.checkpoint, request.input)
        return
    dataset = source.open_dataset(config.data)
    split = source.make_split(dataset, config.data)
    run.predict(request.checkpoint, dataset, source.read(dataset, split["test"], config.data))


MODES: dict[str, Callable[[Request], None]] = {
    "train": train,
    "evaluate": evaluate,
    "predict": predict,
}


def _config(request: Request) -> Config:
    """The configuration that was given, or else the checkpoint's own.

    Raises:
      ConfigError: what was given describes another network or another input than the checkpoint's.
    """
    step = checkpoints.find_step(request.workdir, request.checkpoint)
    trained = checkpoints.read_config(request.workdir, step)
    if request.config is None:
        return config_lib.validate(trained)
    changed = [
        line
        for line in config_lib.differences(
            config_lib.flatten(trained), config_lib.flatten(request.config)
        )
        if line.startswith(("model.", "method.name", *INPUT_KEYS))
        and not line.startswith("model.dtype")
    ]
    if changed:
        raise ConfigError(
            f"the checkpoint of step {step} in {request.workdir} is of another model:\n"
            + "\n".join(f"  {line}" for line in changed)
            + "\nLeave --config out to use the checkpoint's own configuration."
        )
    return config_lib.validate(request.config)


class _Run:
    """A trained run, read only: compiles its prediction once for all checkpoints and parts."""

    def __init__(self, config: Config, directory: Path) -> None:
        self._config = config
        self._directory = directory
        self._method = methods.build(config)
        self._predictor = config.evaluation.predictor or next(iter(self._method.predictors))
        self._confuser = evaluation.make_confuser(
            self._method.predictor(self._predictor), config.data.classes
        )

    def score(self, which: str, part: str, dataset: Dataset, pool: Pool) -> None:
        """Scores a checkpoint on a pool, prints the result, adds it to evaluations.jsonl."""
        config = self._config
        step, variables = self._restore(which)
        scores = evaluation.evaluate(
            self._confuser, variables, pool, dataset.class_names, config.evaluation.batch_size
        )
        record = {
            "checkpoint": which,
            "step": step,
            "part": part,
            "predictor": self._predictor,
            "dataset": config.data.name,
            "protocol": config.data.protocol,
            "labeled_ratio": config.data.labeled_ratio,
            "method": config.method.name,
            "seed": config.train.seed,
            "device": jax.devices()[0].device_kind,
        }
        workdir.append_jsonl(self._directory / "evaluations.jsonl", record | scores)
        lines = [
            f"{part} scores, checkpoint {which} (step {step}), predictor {self._predictor}, "
            "in percent:"
        ]
        lines += [f"  {name:32s} {scores[name]:6.2f}" for name in HEADLINE]
        lines += [f"  {name:32s} {value:6.2f}" for name, value in scores.items() if "/" in name]
        lines += [
            f"  {int(scores['images'])} images, "
            f"{int(scores['images_without_defect'])} of them without a defect"
        ]
        print("\n".join(lines), flush=True)

    def predict(self, which: str, dataset: Dataset, pool: Pool) -> None:
        """Writes the predictions of the test split, and the contact sheet of the run."""
        step, variables = self._restore(which)
        target = self._target(step) / "test"
        found = prediction.predict_pool(self._config, self._method, variables, pool)
        prediction.write(found, pool.names, list(pool.images), target)
        sheet = self._directory / "contact_sheet.png"
        figures.contact_sheet(pool, found, dataset.class_names, sheet, rows=SHEET_ROWS)
        logging.info("predictions: %s; contact sheet: %s", target, sheet)

    def predict_folder(self, which: str, folder: Path) -> None:
        """Writes the predictions of a folder of images."""
        step, variables = self._restore(which)
        target = self._target(step) / "folder"
        count = prediction.predict_folder(self._config, self._method, variables, folder, target)
        logging.info("%d images predicted: %s", count, target)

    def _restore(self, which: str) -> tuple[int, Tree]:
        step = checkpoints.find_step(self._directory, which)
        like = jax.eval_shape(lambda: self._method.variables(*self._method.init(0)))
        return step, checkpoints.restore_variables(self._directory, step, like)

    def _target(self, step: int) -> Path:
        return self._directory / "predictions" / f"step_{step}"
