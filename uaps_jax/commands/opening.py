"""The dataset of a configuration, and whether a training or a checkpoint can use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from absl import logging

from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.config import Config, ConfigError
from uaps_jax.data import leakage, protocols, source, splits
from uaps_jax.data import targets as targets_lib
from uaps_jax.data.source import Dataset
from uaps_jax.data.targets import Targets
from uaps_jax.methods.base import Method
from uaps_jax.training import sharding


def open_dataset(config: Config) -> tuple[Config, Dataset]:
    """The checked configuration, and its dataset, built where it has not been."""
    config = config_lib.validate(config)
    dataset = source.open_dataset(config.data)
    return config_lib.with_classes(config, dataset.class_names), dataset


def check_same_data(record: Mapping[str, Any], dataset: Dataset) -> None:
    """Checks that a dataset still is what a checkpoint was trained on.

    Raises:
      ConfigError: its classes are others, or images of val and test are gone.
    """
    if list(record["classes"]) != list(dataset.class_names):
        raise ConfigError(
            f"the checkpoint knows the classes {', '.join(record['classes'])}, in this order; "
            f"{dataset.build} has {', '.join(dataset.class_names)}"
        )
    gone = [name for part in ("val", "test") for name in record[part] if name not in dataset.masked]
    if gone:
        raise ConfigError(
            f"{len(gone)} val and test images of the checkpoint are not in {dataset.build} with a "
            f"mask any more, {gone[0]} among them"
        )
    if record["build"] != dataset.build:
        logging.warning(
            "the checkpoint was trained on %s, this is %s: images or masks have changed since",
            record["build"],
            dataset.build,
        )


class Trainable(NamedTuple):
    """What a training run needs besides its configuration and dataset.

    Attributes:
      method: built.
      split: of the dataset, as `targets.restrict` gives it.
      targets: None for the masks of the dataset.
    """

    method: Method
    split: splits.Split
    targets: Targets | None


def trainable(config: Config, dataset: Dataset) -> Trainable:
    """The method and the data of a training run that can start.

    Raises:
      ConfigError: it cannot; the text says why.
      DataError: the targets have problems; the text lists them.
    """
    method = methods.build(config)
    method.predictor(config.evaluation.predictor)
    sharding.check_batches(config, method.streams.values(), sharding.over_devices())
    _check_targets(config, method)
    split = protocols.make_split(dataset, config.data)
    split, targets = targets_lib.restrict(dataset, config.data, split)
    used = {*(stream.pool for stream in method.streams.values()), "val", "test"}
    if empty := sorted(part for part in used if not split[part]):
        raise ConfigError(
            f"data.protocol = {config.data.protocol!r} with data.labeled_ratio = "
            f"{config.data.labeled_ratio} and data.labeled_count = {config.data.labeled_count}: "
            f"no {' and no '.join(empty)} images are left, and method {config.method.name} needs "
            f"them{_ways_to_unlabeled(dataset, config, split) if 'unlabeled' in empty else ''}"
        )
    return Trainable(method, split, targets)


def _check_targets(config: Config, method: Method) -> None:
    """Checks that a method reads what `data.targets` has, and nothing else.

    Raises:
      ConfigError: it does not.
    """
    targets, name = config.data.targets, config.method.name
    read = {
        pool: {f for s in method.streams.values() if s.pool == pool for f in s.fields}
        for pool in ("labeled", "unlabeled")
    }
    if "mask" in read["unlabeled"] and not (targets.folders and targets.part == "unlabeled"):
        raise ConfigError(
            f"data.targets.folders = {targets.folders} with data.targets.part = {targets.part!r}: "
            f"method {name} learns masks of unlabeled images; set them to the folders of these "
            "masks, and to unlabeled"
        )
    if targets.folders and "mask" not in read[targets.part]:
        raise ConfigError(
            f"data.targets.folders = {targets.folders}: method {name} does not learn masks of "
            f"{targets.part} images; leave it empty, or choose another method"
        )
    if targets.weights != ("weight" in read[targets.part]):
        uses = "does not use" if targets.weights else "needs"
        raise ConfigError(
            f"data.targets.weights = {targets.weights}: method {name} {uses} weights of pixels of "
            f"{targets.part} images; set it to {not targets.weights}"
        )


def _ways_to_unlabeled(dataset: Dataset, config: Config, split: splits.Split) -> str:
    """The end of a message: which images could be unlabeled ones, or a method without them."""
    if copies := _excluded_copies(dataset, config, split):
        return (
            f". {leakage.numbered(copies, 'other image')} of the labeled leakage groups would be, "
            "with data.labeled_group_copies=unlabeled"
        )
    return (
        ". Add images without a mask, label fewer (data.labeled_count), or train the method "
        "supervised, which needs none"
    )


def _excluded_copies(dataset: Dataset, config: Config, split: splits.Split) -> int:
    """The number of images of labeled leakage groups that are in no part."""
    if config.data.protocol != "grouped" or config.data.labeled_group_copies == "unlabeled":
        return 0
    labeled = {dataset.groups[name] for name in split["labeled"]}
    return sum(group in labeled for group in dataset.groups.values()) - len(split["labeled"])


def log_split(dataset: Dataset, config: Config, parts: splits.Split) -> None:
    """Sizes of the parts, and what about them makes a score look better than it is."""
    counts = leakage.sizes(parts, dataset.groups)
    logging.info(
        "%s, protocol %s: %s", dataset.name, config.data.protocol, leakage.described(counts)
    )
    if copies := leakage.copies_of_labeled(parts, dataset.groups):
        logging.info(
            "%s of the leakage group of a labeled one: no leak, all of them are training images",
            leakage.numbered(len(copies), "unlabeled image"),
        )
    if splits.validates_on_test(parts):
        logging.warning(
            "protocol %s has no validation images of its own: the best checkpoint is chosen on "
            "the test images. Report the last one.",
            config.data.protocol,
        )
    if config.data.fit == "pad":
        logging.warning(
            "data.fit = 'pad': of an image larger than %d x %d pixels, the centre alone is trained "
            "on and scored. data.fit=crop uses all of it.",
            config.data.width,
            config.data.height,
        )
    leaks = {part: count for part, count in leakage.leaks(parts, dataset.groups).items() if count}
    if leaks:
        found = ", ".join(f"{count} in {part}" for part, count in leaks.items())
        logging.warning(
            "protocol %s leaks: of %d test images, so many show the same thing as an image of "
            "another part: %s. data.protocol=grouped has none.",
            config.data.protocol,
            len(parts["test"]),
            found,
        )
    if count := leakage.val_leaks(parts, dataset.groups):
        logging.warning(
            "protocol %s leaks: %d of %d val images show the same thing as a training image, which "
            "raises the score that chooses the best checkpoint. data.protocol=grouped has none.",
            config.data.protocol,
            count,
            len(parts["val"]),
        )
