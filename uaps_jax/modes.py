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
from uaps_jax.methods.base import Method
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
    for which in ("latest", "best"):
        _score(config, request.workdir, which, "test", dataset, test)
    _predict_pool(config, request.workdir, "best", dataset, test)


def evaluate(request: Request) -> None:
    """Scores a checkpoint on the validation and test splits; needs no more than the checkpoint."""
    step, config = _restore_config(request)
    dataset = source.open_dataset(config.data)
    config_lib.check_classes(config, dataset.class_names)
    split = source.make_split(dataset, config.data)
    for part in ("val", "test"):
        pool = source.read(dataset, split[part], config.data)
        _score(config, request.workdir, str(step), part, dataset, pool)


def predict(request: Request) -> None:
    """Writes masks, overlays and uncertainty maps of the test split or of a folder of images."""
    step, config = _restore_config(request)
    if request.input is None:
        dataset = source.open_dataset(config.data)
        split = source.make_split(dataset, config.data)
        test = source.read(dataset, split["test"], config.data)
        _predict_pool(config, request.workdir, str(step), dataset, test)
        return
    method, variables = _restore(config, request.workdir, step)
    target = request.workdir / "predictions" / f"step_{step}" / "folder"
    count = prediction.predict_folder(config, method, variables, request.input, target)
    logging.info("%d images predicted: %s", count, target)


MODES: dict[str, Callable[[Request], None]] = {
    "train": train,
    "evaluate": evaluate,
    "predict": predict,
}


def _restore_config(request: Request) -> tuple[int, Config]:
    """The step that was asked for, and the configuration given or else the checkpoint's own."""
    step = checkpoints.find_step(request.workdir, request.checkpoint)
    config = request.config or checkpoints.read_config(request.workdir, step)
    return step, config_lib.validate(config)


def _restore(config: Config, directory: Path, step: int) -> tuple[Method, Tree]:
    method = methods.build(config)
    like = jax.eval_shape(lambda: method.variables(*method.init(0)))
    return method, checkpoints.restore_variables(directory, step, like)


def _score(
    config: Config, directory: Path, which: str, part: str, dataset: Dataset, pool: Pool
) -> None:
    """Scores one checkpoint on one pool, prints the result and adds it to evaluations.jsonl."""
    step = checkpoints.find_step(directory, which)
    method, variables = _restore(config, directory, step)
    predictor = config.evaluation.predictor or next(iter(method.predictors))
    confuser = evaluation.make_confuser(method.predictor(predictor), config.data.classes)
    scores = evaluation.evaluate(
        confuser, variables, pool, dataset.class_names, config.evaluation.batch_size
    )
    record = {
        "checkpoint": which,
        "step": step,
        "part": part,
        "predictor": predictor,
        "dataset": config.data.name,
        "protocol": config.data.protocol,
        "method": config.method.name,
        "seed": config.train.seed,
        "device": jax.devices()[0].device_kind,
    }
    workdir.append_jsonl(directory / "evaluations.jsonl", record | scores)
    head = f"{part} scores, checkpoint {which} (step {step}), predictor {predictor}, in percent:"
    lines = [f"  {name:32s} {scores[name]:6.2f}" for name in HEADLINE]
    lines += [f"  {name:32s} {value:6.2f}" for name, value in scores.items() if "/" in name]
    lines += [
        (f"  {int(scores['images'])} images, "
        f"{int(scores['images_without_defect'])} of them without a defect")
    ]
    print("\n".join([head, *lines]), flush=True)


def _predict_pool(
    config: Config, directory: Path, which: str, dataset: Dataset, pool: Pool
) -> None:
    step = checkpoints.find_step(directory, which)
    method, variables = _restore(config, directory, step)
    target = directory / "predictions" / f"step_{step}" / "test"
    found = prediction.predict_pool(config, method, variables, pool)
    prediction.write(found, pool.names, list(pool.images), target)
    sheet = directory / "contact_sheet.png"
    figures.contact_sheet(pool, found, dataset.class_names, sheet, rows=SHEET_ROWS)
    logging.info("predictions: %s; contact sheet: %s", target, sheet)
