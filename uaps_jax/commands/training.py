"""A training from its configuration to its result."""

from __future__ import annotations

import copy
import os
import time
from pathlib import Path

import jax
from absl import logging

from uaps_jax import config as config_lib
from uaps_jax.commands import opening
from uaps_jax.commands.conclude import conclude
from uaps_jax.commands.opening import Trainable
from uaps_jax.config import Config
from uaps_jax.data import order, protocols, source, splits
from uaps_jax.data.source import Dataset, Images, Pool
from uaps_jax.evaluation import health
from uaps_jax.inference import TrainedModel, trained
from uaps_jax.methods.base import Method
from uaps_jax.models import initialize
from uaps_jax.training import checkpoints, loop, pretrained, processes, results
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
      model = train(config, "runs/first")

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
        _train(directory, given, dataset, prepared, profile)
    which = "best" if checkpoints.has_best(directory) else "latest"
    return trained.restore(given, directory, which)


def _train(
    directory: Path,
    config: Config,
    dataset: Dataset,
    prepared: Trainable,
    profile: tuple[int, int] | None,
) -> None:
    """The training itself, in a work directory that no other process uses."""
    method, split, targets = prepared
    record = protocols.record(dataset, config.data, split, targets)
    if processes.is_first():
        checkpoints.move_damaged(directory)
    processes.wait("checked")
    weights = None if checkpoints.saved_steps(directory) else pretrained.load(config)
    if processes.is_first():
        runs.claim(directory, config, record)
    processes.wait("claimed")
    processes.check_same("the data", results.digest(record))
    opening.log_split(dataset, config, split)
    logging.info("devices: %s", ", ".join(str(d) for d in jax.devices()))
    params = initialize.count(jax.eval_shape(lambda: method.init(config.train.seed))[0])
    logging.info("method %s: %s trainable parameters", config.method.name, f"{params:,}")

    started = time.perf_counter()
    names = {pool: split[pool] for pool in sorted({s.pool for s in method.streams.values()})}
    size = source.mebibytes(sum(map(len, names.values())), config.data)
    bring = source.read if size <= config.data.resident_mib else source.files
    train_pools: dict[str, Images] = {
        pool: bring(dataset, listed, config.data, targets if pool == "unlabeled" else None)
        for pool, listed in names.items()
    }
    pools = TrainingPools(
        train=train_pools,
        val=source.read(dataset, split["val"], config.data),
        probe=_probe(method, dataset, config, split),
        labeled_shares=_labeled_shares(method, train_pools["labeled"], dataset),
    )
    where = "live on the devices" if bring is source.read else "are streamed"
    logging.info(
        "images read in %.1f s; training images (%.0f MiB) %s",
        time.perf_counter() - started,
        size,
        where,
    )
    started = time.perf_counter()
    loop.train(config, directory, pools, dataset.class_names, record, profile, weights)
    logging.info("training took %s", duration(time.perf_counter() - started))
    if processes.is_first():
        conclude(directory, config, dataset, record, params)
    processes.wait("concluded")


def _probe(method: Method, dataset: Dataset, config: Config, parts: splits.Split) -> Pool | None:
    """The unlabeled images on which pseudo-labels are measured, the same for all methods."""
    count = min(config.evaluation.probe_images, len(parts["unlabeled"]))
    if method.pseudo_labels is None or not count:
        return None
    names = sorted(parts["unlabeled"])
    rows = order.batch_indices(seed=0, stream="probe", step=0, batch=count, size=len(names))
    return source.read(dataset, [names[row] for row in rows], config.data)


def _labeled_shares(method: Method, images: Images, dataset: Dataset) -> dict[str, float]:
    """Class -> percent of the labeled pixels; nothing where nothing is held against it."""
    if method.pseudo_labels is None:
        return {}
    if isinstance(images, Pool):
        return health.class_shares([images.masks], dataset.class_names)
    return health.class_shares((images.load(n)["mask"] for n in images.names), dataset.class_names)
