"""What is checked of the files that a person gives to a recipe, before its first stage."""

from __future__ import annotations

from collections.abc import Iterator, Set
from pathlib import Path

from absl import logging

from uaps_jax import config as config_lib
from uaps_jax.config import ConfigError, DataConfig, Section
from uaps_jax.data import targets
from uaps_jax.data.source import Dataset
from uaps_jax.data.splits import Split
from uaps_jax.recipes import target_files
from uaps_jax.training import checkpoints
from uaps_jax.training.checkpoints import CheckpointError


def problems(recipe: Section) -> Iterator[str]:
    """Folders of `masks`, `cyclic` and `model` in which files are missing, a line each."""
    for key, parts in (
        ("masks", (targets.MASKS,)),
        ("cyclic", (targets.MASKS, targets.WEIGHTS)),
    ):
        folder = config_lib.lookup(recipe, key)
        for part in parts if folder else ():
            yield from config_lib.check(
                recipe, key, Path(folder, part).is_dir(), f"there is no folder {part} in it"
            )
    model = config_lib.lookup(recipe, "model")
    yield from config_lib.check(
        recipe,
        "model",
        not model or bool(checkpoints.saved_steps(Path(model))),
        "there is no checkpoint in it",
    )


def check(recipe: Section, dataset: Dataset, split: Split) -> None:
    """Checks that the data have what the settings of a `ResponseScaling` need.

    Args:
      recipe: with settings that are right.
      dataset: of the recipe.
      split: of the recipe.

    Raises:
      ConfigError: no image could get a cyclic mask, the given model does not fit, or the weighting
        "oracle" has no masks to compare with.
    """
    start, cyclic = config_lib.lookup(recipe, "start"), config_lib.lookup(recipe, "cyclic")
    model, data = config_lib.lookup(recipe, "model"), config_lib.lookup(recipe, "base.data")
    if start == "labeled" and not cyclic and not split["unlabeled"]:
        raise ConfigError(
            'start = "labeled": the split has no unlabeled images that could get cyclic masks; set '
            "base.data.labeled_count or base.data.labeled_ratio"
        )
    if model and not cyclic:
        checkpoint = config_lib.lookup(recipe, "checkpoint")
        check_run(Path(model), checkpoint, dataset, split, data)
    if "oracle" in config_lib.lookup(recipe, "weightings"):
        masks = config_lib.lookup(recipe, "masks")
        names = _pseudo_labeled(start, masks, cyclic, dataset, split)
        if missing := sorted(names - dataset.masked):
            raise ConfigError(
                "weightings: oracle compares with the masks of the dataset, and "
                f"{len(missing)} of {len(names)} images have none, {missing[0]} among them; leave "
                "it out"
            )


def _pseudo_labeled(
    start: str, masks: str, cyclic: str, dataset: Dataset, split: Split
) -> Set[str]:
    """The images that get cyclic masks."""
    if cyclic:
        return set(target_files.names_in(Path(cyclic)))
    if start == "labeled":
        return set(split["unlabeled"])
    if masks:
        return set(target_files.names_in(Path(masks)))
    labeled = set(split["labeled"])
    if start == "rough":
        return labeled
    return labeled | (set(dataset.image_labels) & set(split["unlabeled"]))


def check_run(
    source: Path, checkpoint: str, dataset: Dataset, split: Split, data: DataConfig
) -> None:
    """Checks that a run that a person gives fits the data of a recipe, and saw no test image.

    Warns of a run that has not ended.

    Args:
      source: its work directory.
      checkpoint: that is used, "best" or "latest"; "latest" where there is no best one.
      dataset: of the recipe.
      split: of the recipe.
      data: settings of the recipe's data.

    Raises:
      ConfigError: it knows other classes, or images of another size; or it learnt from labels of
        the test images of the recipe, or of images of their leakage groups.
    """
    try:
        step = checkpoints.find_step(source, checkpoints.existing(source, checkpoint))
        config = checkpoints.read_config(source, step)
        record = checkpoints.read_record(source, step)
    except CheckpointError as error:
        raise ConfigError(f"model = {str(source)!r}: {error}") from error
    trained = config.data
    if (last := max(checkpoints.saved_steps(source))) < config.train.steps:
        logging.warning(
            "model = %r: it was trained for %d of its %d steps; if it is still being trained, stop "
            "this command and wait",
            str(source),
            last,
            config.train.steps,
        )
    if (known := list(record["classes"])) != list(dataset.class_names):
        raise ConfigError(
            f"model: it knows the classes {', '.join(known)}, and the dataset has "
            f"{', '.join(dataset.class_names)}"
        )
    own, wanted = target_files.of_size(trained), target_files.of_size(data)
    for key, value in wanted.items():
        if own[key] != value:
            raise ConfigError(
                f"base.data.{key} = {value!r}: the model was trained with {own[key]!r}; set it to "
                "this"
            )
    if trained.name != data.name:
        return
    held = {dataset.groups[name] for name in split["test"] if dataset.groups[name] >= 0}
    seen = sorted(
        name
        for name in {*record["labeled"], *record["val"]}
        if name in split["test"] or dataset.groups.get(name, -1) in held
    )
    if seen:
        raise ConfigError(
            f"model = {str(source)!r}: {len(seen)} of its labeled and validation images are test "
            f"images of this recipe or show the same thing, {seen[0]} among them, so that test "
            "scores would be too high; give a run of the same split, with equal base.data.protocol,"
            " split_seed and shares"
        )
