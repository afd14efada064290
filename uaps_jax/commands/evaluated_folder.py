"""A folder of images with masks on which a trained model is scored."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from absl import logging

from uaps_jax import inference
from uaps_jax.commands import loading
from uaps_jax.commands.request import Request
from uaps_jax.config import ConfigError, DataConfig, FolderConfig
from uaps_jax.data import photographs, source
from uaps_jax.data.source import Dataset
from uaps_jax.inference import TrainedModel

OF_THE_FOLDER = tuple(
    f"data.folder.{name}"
    for name in ("images", "masks", "mask_suffix", "table", "classes", "group")
)
"""Settings that the command line gives for the folder, not for the model."""


def open_folder(request: Request, given: Path, checkpoint: str) -> tuple[TrainedModel, Dataset]:
    """The model of a request, and its folder of images and masks as a dataset.

    The layout of the folder is `data.folder` of the command line; what is left out there has its
    default, but `data.folder.group`, which is that of the training on a folder.

    Args:
      request: what was asked for.
      given: the folder.
      checkpoint: "best", "latest" or a step.

    Raises:
      ConfigError: it is not a folder, has no mask, or has other classes than the model.
      DataError: files in it are bad; the text names all of them.
    """
    overrides = loading.overrides(request)
    own = {key: overrides.pop(key) for key in OF_THE_FOLDER if key in overrides}
    model = inference.load(request.workdir, checkpoint, overrides=overrides)
    if not given.is_dir():
        raise ConfigError(
            f"--input={given}: is not a folder; to evaluate, give one with images/, masks/ and "
            "classes.yaml"
        )
    dataset = source.open_dataset(_data(model.config.data, given, own))
    if dataset.class_names != model.class_names:
        raise ConfigError(
            f"--input={given}: has the classes {', '.join(dataset.class_names)}; the model has "
            f"{', '.join(model.class_names)}: name the same ones, in this order, in classes.yaml"
        )
    if not dataset.masked:
        raise ConfigError(
            f"--input={given}: none of its {len(dataset.position)} images has a mask; masks are "
            f"expected in {given / (own.get('data.folder.masks') or 'masks')}, under the names of "
            "the images"
        )
    _warn_of_training_images(model, dataset)
    _warn_of_unlike_images(model, dataset)
    return model, dataset


def _warn_of_training_images(model: TrainedModel, dataset: Dataset) -> None:
    if model.config.data.name != "folder":
        return
    trained = {*model.record["labeled"], *model.record["unlabeled"]}
    if count := len(trained & dataset.masked):
        logging.warning(
            "%d of the %d images with a mask have the name of a training image of this model: if "
            "they are the same images, the scores are too high",
            count,
            len(dataset.masked),
        )


def _warn_of_unlike_images(model: TrainedModel, dataset: Dataset) -> None:
    if model.photographs is None:
        return
    masked = sorted(dataset.masked)
    for sentence, names in photographs.unlike(dataset, masked, model.photographs).items():
        logging.warning(
            "%d of the %d images with a mask, such as %s: %s",
            len(names),
            len(masked),
            names[0],
            sentence,
        )


def _data(trained: DataConfig, given: Path, own: dict[str, object]) -> DataConfig:
    """The settings of the folder's data."""
    folder = FolderConfig(
        images="",
        masks="",
        mask_suffix="",
        table="",
        classes=(),
        group=trained.folder.group,
        white=trained.folder.white,
    )
    for key, value in own.items():
        setattr(folder, key.rpartition(".")[2], value)
    return dataclasses.replace(trained, name="folder", manual_dir=str(given), folder=folder)
