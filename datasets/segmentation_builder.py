"""The base class of the builders: checks all images and masks, then writes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image
from tqdm import tqdm

from uaps_jax.datasets.array_record_builder import ArrayRecordBuilder, manual_dir
from uaps_jax.datasets.common import DataError, Problem, check_pair, read_image, read_mask
from uaps_jax.datasets.file_trees import FileTree, Read
from uaps_jax.labels import IGNORE


class Example(NamedTuple):
    """One image of the raw data, before any of its files is opened.

    Attributes:
      split: the TFDS split it goes into.
      name: unique over all splits.
      image: expected file of the image in the tree.
      mask: likewise; None where the image has no mask file and needs none.
      group: leakage group: its images show the same thing and must not be divided between training
        and test; -1 if unknown.
      label: the class of the foreground, where the folder of the file gives it, not its pixels.
      clean: for an image without a mask file, whether it is known to show no defect: then its mask
        is all background, and otherwise unknown.
    """

    split: str
    name: str
    image: str
    mask: str | None
    group: int
    label: int | None = None
    clean: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class RawData:
    """A complete raw data set.

    Attributes:
      tree: what the files are read from.
      examples: in any order.
      problems: those that the names alone show.
    """

    tree: FileTree
    examples: Sequence[Example]
    problems: Sequence[Problem] = ()


def features(labels: Sequence[str]) -> tfds.features.FeaturesDict:
    """The features of every dataset of this project.

    image: uint8 [H, W, 3], RGB. mask: uint8 [H, W, 1], class ids, all 255 where there is no mask.
    name: unique. group: int32. has_mask: 1 or 0.
    """
    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "mask": tfds.features.LabeledImage(
                labels=list(labels), shape=(None, None, 1), encoding_format="png"
            ),
            "name": tfds.features.Text(),
            "group": tfds.features.Scalar(dtype=np.int32),
            "has_mask": tfds.features.Scalar(dtype=np.uint8),
        }
    )


class SegmentationBuilder(ArrayRecordBuilder):
    """Reads raw images and masks, checks all of them, and then writes.

    A subclass defines what has to be downloaded (`DOWNLOAD`, the object of a sentence, beside the
    instructions that TFDS prints), the files (`raw_data`), the names of the classes (`labels`) and,
    where a mask is not an image of class ids, its decoding (`decode_mask`).

    Raises:
      DataError: by `download_and_prepare`, if the raw data is not found or any file of it is bad;
        then nothing is built.
    """

    HOMEPAGE: ClassVar[str | None] = None
    DOWNLOAD: ClassVar[str]
    SPLITS: ClassVar[tuple[str, ...]] = ("train", "test")

    def labels(self) -> Sequence[str]:
        """Class names; their positions are the class ids, 0 is the background."""
        raise NotImplementedError

    def raw_data(self, manual_dir: Path) -> RawData:
        """Finds the files; raises `DataError` where there are none."""
        raise NotImplementedError

    def decode_mask(self, data: bytes, example: Example) -> np.ndarray:
        """Class ids uint8 [H, W] of an encoded mask; raises `UnreadableError`."""
        del example
        return read_mask(data)

    def decode_image(self, data: bytes, example: Example) -> np.ndarray:
        """uint8 [H, W, 3] of an encoded image; raises `UnreadableError`."""
        del example
        return read_image(data)

    def stored_image(self, data: bytes, example: Example) -> bytes | Image.Image:
        """What is stored of an image: by default its file, unchanged."""
        del example
        return data

    def source_digest(self, manual_dir: Path) -> str:
        """A digest of the names of the raw files, which identifies the source of a build.

        Raises:
          DataError: no raw data are there.
        """
        examples = self.raw_data(manual_dir).examples
        files = sorted((e.split, e.name, e.image, e.mask or "") for e in examples)
        return hashlib.blake2b(repr(files).encode(), digest_size=8).hexdigest()

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=features(self.labels()),
            supervised_keys=("image", "mask"),
            homepage=self.HOMEPAGE,
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        raw = self.raw_data(manual_dir(dl_manager))
        problems = [*raw.problems, *self._check(raw)]
        if not raw.examples and not problems:
            problems = [Problem(raw.tree.label(""), f"holds no image of {self.info.full_name}")]
        if problems:
            raise DataError(problems)
        present = {example.split for example in raw.examples}
        return {
            split: self._generate_examples(raw, split) for split in self.SPLITS if split in present
        }

    def _generate_examples(self, raw: RawData, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        with raw.tree.reading() as read:
            for example in raw.examples:
                if example.split != split:
                    continue
                data = _still(read, example.image, raw.tree)
                if example.mask is None:
                    size = self.decode_image(data, example).shape[:2]
                    ids = np.full(size, 0 if example.clean else IGNORE, np.uint8)
                else:
                    ids = self.decode_mask(_still(read, example.mask, raw.tree), example)
                features = {
                    "image": self.stored_image(data, example),
                    # As PIL image: TFDS needs TensorFlow to encode arrays.
                    "mask": Image.fromarray(ids),
                    "name": example.name,
                    "group": example.group,
                    "has_mask": int(example.mask is not None or example.clean),
                }
                yield example.name, features

    def _check(self, raw: RawData) -> list[Problem]:
        """Decodes every file of every example and returns all problems."""
        problems: list[Problem] = []
        first: dict[str, str] = {}
        with raw.tree.reading() as read:
            for example in tqdm(raw.examples, desc=f"checking {self.name}", unit="image"):
                image_path = raw.tree.label(example.image)
                other = first.setdefault(example.name, image_path)
                if other is not image_path:
                    problems.append(Problem(image_path, f"has the name of {other}"))
                problems += self._check_example(raw, example, read)
        return problems

    def _check_example(self, raw: RawData, example: Example, read: Read) -> list[Problem]:
        unread: list[Problem] = []
        image_path = raw.tree.label(example.image)
        image = _read(read, example.image, image_path, unread)
        mask_path = mask = None
        if example.mask is not None:
            mask_path = raw.tree.label(example.mask)
            mask = _read(read, example.mask, mask_path, unread)
        return unread or check_pair(
            image,
            mask,
            len(self.labels()),
            image_path=image_path,
            mask_path=mask_path,
            decode_image=lambda data: self.decode_image(data, example),
            decode_mask=lambda data: self.decode_mask(data, example),
        )


def _read(read: Read, file: str, path: str, problems: list[Problem]) -> bytes | None:
    """The bytes of a file; None where it is missing, and also where it is damaged."""
    try:
        return read(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        problems.append(Problem(path, f"cannot be read: {error.strerror or error}"))
        return None


def _still(read: Read, file: str, tree: FileTree) -> bytes:
    """The bytes of a file that was read before.

    Raises:
      DataError: it cannot be read any more, as from a network drive that has gone.
    """
    try:
        return read(file)
    except OSError as error:
        reason = f"could be read before, and cannot any more: {error.strerror or error}"
        raise DataError([Problem(tree.label(file), reason)], "Give the same command again.") from (
            error
        )
