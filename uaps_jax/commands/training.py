"""A training from its configuration to its result."""

from __future__ import annotations

import copy
import os
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from absl import logging

from uaps_jax import config as config_lib
from uaps_jax.child_process import PARENT_VARIABLE
from uaps_jax.commands import opening
from uaps_jax.commands.conclude import conclude, draw_stopped
from uaps_jax.commands.opening import Trainable
from uaps_jax.config import Config
from uaps_jax.data import (
    order,
    photographs,
    protocols,
    source,
    splits,
    training_images,
    whole_images,
)
from uaps_jax.data.source import Dataset, Images, Pool
from uaps_jax.evaluation import health
from uaps_jax.inference import TrainedModel, trained
from uaps_jax.methods.base import Method
from uaps_jax.models import initialize
from uaps_jax.training import (
    budget,
    checkpoints,
    interrupt,
    loop,
    pretrained,
    processes,
    results,
)
from uaps_jax.training import workdir as runs
from uaps_jax.training.pools import TrainingPools
from uaps_jax.training.progress import duration


def train(
    config: Config, workdir: str | os.PathLike[str], profile: tuple[int, int] | None = None
) -> TrainedModel:
    """Trains or resumes a run, then scores the test split at the best and the last checkpoint.

    Does what `--mode=train` does, and writes the same files: the scores are in `result.json`.

    Example:
      config = load_config("configs/synthetic_uaps.py", {"train.steps": 200})
      model = train(config, "runs/synthetic_uaps")

    Args:
      config: the settings; ramps and intervals are not scaled to a change of `train.steps`.
      workdir: folder of the run; one that holds a part of this run resumes.
      profile: first and last training step, from 1, of a trace; None for none.

    Returns:
      The model of the best checkpoint on validation, or of the last one if none was evaluated.

    Raises:
      ConfigError, DataError: the training cannot start; the text says what to change.
      NonFiniteLoss: a step was not finite; its batch is kept in the work directory.
      Interrupted: SIGTERM or Ctrl-C; the current step is finished and saved before.
    """
    directory = Path(workdir)
    config = config_lib.validate(copy.deepcopy(config))
    given, dataset = processes.first_then_others("built", lambda: opening.open_dataset(config))
    prepared = opening.trainable(given, dataset)
    with runs.locked(directory):
        given = _train(directory, given, dataset, prepared, profile)
    which = checkpoints.existing(directory, "best")
    return trained.restore(given, directory, which)


def _train(
    directory: Path,
    config: Config,
    dataset: Dataset,
    prepared: Trainable,
    profile: tuple[int, int] | None,
) -> Config:
    """The training itself, in a work directory that no other process uses.

    Returns:
      The settings of the run, with the steps that `train.minutes` gives.
    """
    method, split, targets = prepared
    seen = photographs.of(dataset, [*split["labeled"], *split["unlabeled"]])
    record = protocols.record(dataset, config.data, split, targets)
    record[protocols.PHOTOGRAPHS] = seen.to_json()
    if processes.is_first():
        checkpoints.move_damaged(directory)
    processes.wait("checked")
    resumes = bool(checkpoints.saved_steps(directory))
    weights = None if resumes else pretrained.load(config)
    pools = None
    if resumes:
        config = budget.as_before(directory, config)
    elif config.train.minutes:
        pools = _pools(config, dataset, prepared)
        config = budget.fitted(config, pools, dataset.class_names, weights)
    if processes.is_first():
        runs.claim(directory, config, record)
    processes.wait("claimed")
    processes.check_same("the data", results.digest(record))
    opening.log_split(dataset, config, split)
    logging.info("devices: %s", ", ".join(str(d) for d in jax.devices()))
    params = initialize.count(jax.eval_shape(lambda: method.init(config.train.seed))[0])
    logging.info("method %s: %s parameters", config.method.name, f"{params:,}")

    pools = pools or _pools(config, dataset, prepared)
    started = time.perf_counter()
    try:
        loop.train(config, directory, pools, dataset.class_names, record, profile, weights)
    except interrupt.Interrupted as stopped:
        if PARENT_VARIABLE not in os.environ:  # which waits for this one
            logging.info(
                "stopped after step %d, which is saved; its curves and its contact sheet are "
                "drawn, and a second signal leaves them out",
                stopped.step,
            )
            del pools
            traceback.clear_frames(stopped.__traceback__)  # which hold the state of the training
            _draw_stopped(directory, config, dataset, record)
        raise
    logging.info("training took %s", duration(time.perf_counter() - started))
    if processes.is_first():
        conclude(directory, config, dataset, record, params)
    processes.wait("concluded")
    return config


def _draw_stopped(
    directory: Path, config: Config, dataset: Dataset, record: Mapping[str, Any]
) -> None:
    """As `draw_stopped`; an error is logged, so that the run ends as one that was stopped."""
    try:
        draw_stopped(directory, config, dataset, record)
    except KeyboardInterrupt:
        logging.info("the pictures are not drawn")
    except Exception as error:
        logging.warning("the pictures are not drawn: %s: %s", type(error).__name__, error)


def _pools(config: Config, dataset: Dataset, prepared: Trainable) -> TrainingPools:
    """Reads the images of a run."""
    method, split, targets = prepared
    started = time.perf_counter()
    used = sorted({stream.pool for stream in method.streams.values()})
    names = {pool: split[pool] for pool in used}
    made = training_images.read(dataset, names, config.data, targets)
    pools = TrainingPools(
        train=made.pools,
        val=whole_images.to_evaluate(dataset, split["val"], config.data),
        probe=_probe(method, dataset, config, split),
        labeled_shares=_labeled_shares(method, made.pools["labeled"], dataset),
    )
    logging.info(
        "images read in %.1f s; training images (%.0f MiB) %s",
        time.perf_counter() - started,
        made.mebibytes,
        made.where,
    )
    return pools


def _probe(method: Method, dataset: Dataset, config: Config, parts: splits.Split) -> Pool | None:
    """The unlabeled images, or crops, for the metrics of pseudo-labels: equal for all methods."""
    count = min(config.evaluation.probe_images, len(parts["unlabeled"]))
    if method.pseudo_labels is None or not count:
        return None
    names = sorted(parts["unlabeled"])
    rows = order.batch_indices(seed=0, stream="probe", step=0, batch=count, size=len(names))
    chosen = [names[row] for row in rows]
    if config.data.fit != "crop":
        return source.read(dataset, chosen, config.data)
    images = whole_images.to_crop(dataset, chosen, config.data, resident=False, labeled=False)
    return whole_images.crops_pool(images, seed=0, stream="probe")


def _labeled_shares(method: Method, images: Images, dataset: Dataset) -> dict[str, float]:
    """Class -> percent of the labeled pixels.

    Masks of streamed images and of crops, which would be read for it, are counted only where the
    pseudo-labels are compared with it.
    """
    if method.pseudo_labels is None and not isinstance(images, Pool):
        return {}
    return health.class_shares(source.masks(images), dataset.class_names)
