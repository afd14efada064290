"""The TFDS builder of a user's own images."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from uaps_jax.datasets import image_labels
from uaps_jax.datasets.common import DataError, Problem, UnreadableError, open_image
from uaps_jax.datasets.file_trees import Folder
from uaps_jax.datasets.folder import class_map, images
from uaps_jax.datasets.folder import scan as scanning
from uaps_jax.datasets.regular_files import MOST_TEXT_BYTES, read_regular
from uaps_jax.datasets.segmentation_builder import Example, RawData, SegmentationBuilder

_KEPT = {("PNG", "L"), ("PNG", "RGB"), ("JPEG", "L"), ("JPEG", "RGB")}
_MOST_SUGGESTED = 20


@dataclasses.dataclass(eq=False, kw_only=True)
class FolderConfig(tfds.core.BuilderConfig):
    """One state of one user's folder; made by `configure`.

    Attributes:
      settings: where the data are.
      classes: the classes of the mask values.
      entries: the images, sorted by name.
      groups: the leakage group of each.
      problems: those that the names alone show.
      image_labels: name of an image -> the ids of its classes, from `image_labels.csv`.
    """

    settings: scanning.Settings
    classes: class_map.ClassMap
    # TFDS prints configurations; the lists of images would be too long.
    entries: tuple[scanning.Entry, ...] = dataclasses.field(repr=False)
    groups: tuple[int, ...] = dataclasses.field(repr=False)
    problems: tuple[Problem, ...] = dataclasses.field(repr=False)
    image_labels: Mapping[str, tuple[int, ...]] = dataclasses.field(repr=False)


def configure(settings: scanning.Settings) -> FolderConfig:
    """Scans a folder and names its state.

    The name has a fingerprint of every file, so that a dataset of another state is not used.

    Raises:
      DataError: there are no images, or the classes of the mask values are not given.
    """
    entries, problems = scanning.scan(settings)
    classes = _classes(settings, entries)
    labels = _image_labels(settings, classes, entries, problems)
    digests = scanning.digest_files(entries)
    # Problems are part of the state: a dataset that was built without them does not hide them.
    meaning = repr((classes, settings.white, Builder.VERSION, problems))
    meaning += repr(sorted(labels.items())) if labels else ""
    state = scanning.fingerprint(entries, digests, meaning)
    return FolderConfig(
        name=f"state_{state}",
        settings=settings,
        classes=classes,
        entries=tuple(entries),
        groups=tuple(scanning.number_groups(entries, digests)),
        problems=tuple(problems),
        image_labels=labels,
    )


class Builder(SegmentationBuilder):
    """A user's images, with masks for some of them.

    Splits: "train", or those of the table. Names are paths without suffix.
    Images are stored as they are where they are 8-bit grey or RGB, otherwise as 8-bit RGB PNG.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "Initial release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = scanning.INSTRUCTIONS
    DOWNLOAD = "your folders images and masks, with classes.yaml beside them,"
    SPLITS = scanning.SPLITS

    builder_config: FolderConfig

    def labels(self) -> Sequence[str]:
        return self.builder_config.classes.names

    def raw_data(self, manual_dir: Path) -> RawData:
        config = self.builder_config
        examples = [
            Example(
                entry.split,
                entry.name,
                str(entry.image),
                None if entry.mask is None else str(entry.mask),
                group,
            )
            for entry, group in zip(config.entries, config.groups, strict=True)
        ]
        # All files have absolute paths, so any folder can be the root of the tree.
        tree = Folder(config.settings.root.resolve())
        return RawData(tree=tree, examples=examples, problems=config.problems)

    def decode_mask(self, data: bytes, example: Example) -> np.ndarray:
        return class_map.decode_mask(data, self.builder_config.classes)

    def decode_image(self, data: bytes, example: Example) -> np.ndarray:
        """See `SegmentationBuilder`; an image with a mask must be upright as it is stored."""
        pixels = images.read_any_image(data, self.builder_config.settings.white)
        turned = images.named_orientation(data)
        if turned != images.UPRIGHT and example.mask is not None:
            raise UnreadableError(
                f"the camera says that the image is to be turned (EXIF orientation {turned}), and "
                "programs for annotation differ on that; save it upright, with its mask to match"
            )
        return pixels

    def stored_image(self, data: bytes, example: Example) -> bytes | Image.Image:
        with open_image(data) as image:
            kind = (image.format, image.mode)
        if kind in _KEPT and images.orientation(data) == images.UPRIGHT:
            return data
        return Image.fromarray(self.decode_image(data, example))


def _classes(settings: scanning.Settings, entries: Sequence[scanning.Entry]) -> class_map.ClassMap:
    file = settings.root / class_map.CLASSES_FILE
    where = "data.folder.classes" if settings.classes else str(file)
    try:
        if settings.classes:
            return class_map.from_settings(settings.classes)
        if file.exists():
            return class_map.from_file(file)
    except class_map.ClassMapError as error:
        raise DataError([(where, str(error))], scanning.INSTRUCTIONS) from error
    raise DataError(
        [(where, f"does not exist, and data.folder.classes is not set. {_suggestion(entries)}")],
        scanning.INSTRUCTIONS,
    )


def _image_labels(
    settings: scanning.Settings,
    classes: class_map.ClassMap,
    entries: Sequence[scanning.Entry],
    problems: list[Problem],
) -> dict[str, tuple[int, ...]]:
    """The labels of whole images, beside the folder of the images; none without the file."""
    file = settings.root / image_labels.FILE
    if not file.exists():
        return {}
    try:
        text = read_regular(file, MOST_TEXT_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(str(file), f"cannot be read: {error}"))
        return {}
    found = image_labels.from_csv(text, str(file), classes.names, problems)
    problems += image_labels.unknown_names(found, {entry.name for entry in entries}, str(file))
    return found


def _suggestion(entries: Sequence[scanning.Entry]) -> str:
    """The values in the masks, as lines of a `classes.yaml` with names to be filled in."""
    masks = [entry.mask for entry in entries if entry.mask is not None]
    for by_colour in (False, True):
        counts: Counter[int] = Counter()
        try:
            for mask in masks:
                counts.update(class_map.distinct_values(read_regular(mask), by_colour=by_colour))
        except (UnreadableError, OSError):
            continue
        if counts and len(counts) <= _MOST_SUGGESTED:
            values = sorted(counts)
            shown = [f'"#{value:06x}"' if by_colour else str(value) for value in values]
            names = ["background", *(f"defect_{i}" for i in range(1, len(values)))]
            lines = (f"  {name}: {value}" for name, value in zip(names, shown, strict=True))
            return "The masks hold these values; write them with your names:\n" + "\n".join(lines)
    return f"{len(masks)} masks were found."
