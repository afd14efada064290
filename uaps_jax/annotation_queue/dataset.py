"""The data set that the images of a queue are of: its folders, and how its masks are written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from absl import logging

from uaps_jax.annotations.mask_form import MaskForm
from uaps_jax.config import ConfigError
from uaps_jax.config.data import FolderConfig
from uaps_jax.datasets.folder import class_map, encode, mask_names, scan
from uaps_jax.datasets.folder.class_map import ClassMap, ClassMapError, Value
from uaps_jax.labels import IGNORE


class Dataset(NamedTuple):
    """A folder of images, masks and classes.

    Attributes:
      root: the folder.
      images: the folder of its images.
      masks: that of its masks, which may not exist, or be that of the images.
      mask_suffix: what the name of a mask has behind the name of its image.
    """

    root: Path
    images: Path
    masks: Path
    mask_suffix: str

    def divided(self, paths: Mapping[str, Path]) -> tuple[dict[str, Path], frozenset[str]]:
        """The images among files below `images`, and the names of those that have a mask.

        Args:
          paths: the files by name, the path without suffix.
        """
        images: dict[str, Path] = dict(paths)
        by_name: dict[str, Path] = {}
        if os.path.realpath(self.images) == os.path.realpath(self.masks):
            if self.mask_suffix:
                images, by_name = mask_names.divided(paths, self.mask_suffix)
        else:
            images = {n: file for n, file in paths.items() if not file.is_relative_to(self.masks)}
            for file in scan.walk(self.masks, [], None, ()) if self.masks.is_dir() else ():
                by_name[file.relative_to(self.masks).with_suffix("").as_posix()] = file
            if self.mask_suffix:
                _, by_name = mask_names.divided(by_name, self.mask_suffix)
        return images, frozenset(by_name.keys() & images.keys())


def find(given: Path, settings: FolderConfig) -> Dataset | None:
    """The data set of a folder, or of its folder of images; None if it is that of none.

    Args:
      given: the folder.
      settings: of the training: the names of the folders of images and masks.
    """
    images, masks = settings.images or "images", settings.masks or "masks"
    roots = [given]
    path, below = Path(os.path.abspath(given)), Path(images).parts
    above = len(path.parts) - len(below)
    if not Path(images).is_absolute() and path.parts[above:] == below:
        roots.append(Path(*path.parts[:above]))
    for root in roots:
        has_masks = not Path(masks).is_absolute() and (root / masks).is_dir()
        has_classes = (root / class_map.CLASSES_FILE).is_file()
        if (root / images).is_dir() and (has_masks or has_classes):
            return Dataset(root, root / images, root / masks, settings.mask_suffix)
    return None


def mask_form(
    dataset: Dataset, settings: FolderConfig, class_names: Sequence[str]
) -> MaskForm | None:
    """How the masks of a data set are written; None if it has no classes, or others than a model.

    Pixels without a label get a free value if the data set has none for them.

    Raises:
      ConfigError: its list of classes is damaged.
    """
    file = dataset.root / class_map.CLASSES_FILE
    try:
        if settings.classes:
            classes = class_map.from_settings(settings.classes)
        elif file.is_file():
            classes = class_map.from_file(file)
        else:
            return None
    except ClassMapError as error:
        raise ConfigError(f"{file}: {error}") from error
    ids = set(range(len(classes.names)))
    if classes.names != tuple(class_names) or not ids <= encode.first_values(classes).keys():
        logging.warning(
            "%s: its classes are %s, and those of the model %s: masks that are made of this queue "
            "have class ids, and must not be put beside its masks",
            dataset.root,
            ", ".join(classes.names),
            ", ".join(class_names),
        )
        return None
    if IGNORE not in classes.ids.values():
        classes = ClassMap(classes.names, {**classes.ids, _free(classes): IGNORE})
    return MaskForm(classes, dataset.mask_suffix)


def _free(classes: ClassMap) -> Value:
    """The highest grey level of 8 bits that stands for no class, or the next one of 16 bits."""
    levels = (*range(IGNORE, -1, -1), *range(IGNORE + 1, 2**16))
    if classes.by_colour:
        greys = ((level, level, level) for level in levels)
        return next(grey for grey in greys if grey not in classes.ids)
    return next(level for level in levels if level not in classes.ids)
