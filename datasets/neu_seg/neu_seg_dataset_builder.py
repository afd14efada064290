"""The TFDS builder of NEU-Seg."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds
from absl import logging
from PIL import Image

from datasets.array_record_builder import ArrayRecordBuilder, manual_dir
from datasets.common import DataError, Problem, check_pair, read_mask
from datasets.file_trees import Read
from datasets.neu_seg import layouts
from datasets.neu_seg.groups import UNKNOWN, groups

LABELS = ("background", "inclusion", "patches", "scratches")
"""Class names; their positions are the class ids of the masks."""

OFFICIAL_COUNTS = {"training": 3630, "test": 840}
"""Pairs in the complete data set, by the official names of the splits."""


class Builder(ArrayRecordBuilder):
    """NEU-Seg: 4470 grey images of hot-rolled steel strip, 200x200, with three kinds of defect.

    Splits: "train" (3630) and "test" (840), as the source has them.

    Features:
      image: uint8 [H, W, 3]; the original JPEG bytes are kept.
      mask: uint8 [H, W, 1], the ids of `LABELS`.
      name: for example "training/000201"; unique over both splits, which ids alone are not.
      group: int32; rotated copies of one picture share it. -1 for images that are not official.

    Raises:
      DataError: by `download_and_prepare`, if the raw data is not found or any file of it is bad;
        then nothing is built.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "Initial release."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = layouts.INSTRUCTIONS

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "mask": tfds.features.LabeledImage(
                        labels=list(LABELS), shape=(None, None, 1), encoding_format="png"
                    ),
                    "name": tfds.features.Text(),
                    "group": tfds.features.Scalar(dtype=np.int32),
                }
            ),
            supervised_keys=("image", "mask"),
            homepage="https://github.com/DHW-Master/NEU_Seg",
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        found = layouts.find(manual_dir(dl_manager))
        pairs, problems = layouts.pairs(found)
        problems += _check(found, pairs)
        if problems:
            raise DataError(problems)
        _warn_if_incomplete(pairs)
        return {
            "train": self._generate_examples(found, [p for p in pairs if p.split == "training"]),
            "test": self._generate_examples(found, [p for p in pairs if p.split == "test"]),
        }

    def _generate_examples(
        self, found: layouts.Found, pairs: Sequence[layouts.Pair]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        known = groups()
        with found.tree.reading() as read:
            for pair in pairs:
                # No incomplete pair passes the check.
                assert pair.image is not None
                assert pair.mask is not None
                # As PIL image: TFDS needs TensorFlow to encode arrays. The mask is encoded anew, so
                # that what is stored is 8-bit greyscale whatever the file was.
                mask = Image.fromarray(read_mask(read(pair.mask)))
                yield (
                    pair.name,
                    {
                        "image": read(pair.image),
                        "mask": mask,
                        "name": pair.name,
                        "group": known.get(pair.name, UNKNOWN),
                    },
                )


def _check(found: layouts.Found, pairs: Sequence[layouts.Pair]) -> list[Problem]:
    """Decodes every file of every pair and returns all problems."""
    problems: list[Problem] = []
    with found.tree.reading() as read:
        for pair in pairs:
            image_path, mask_path = found.expected(pair)
            unread: list[Problem] = []
            image = _read(read, pair.image, image_path, unread)
            mask = _read(read, pair.mask, mask_path, unread)
            problems += unread or check_pair(
                image, mask, len(LABELS), image_path=image_path, mask_path=mask_path
            )
    return problems


def _read(read: Read, file: str | None, path: str, problems: list[Problem]) -> bytes | None:
    if file is None:
        return None
    try:
        return read(file)
    except OSError as error:
        problems.append(Problem(path, f"cannot be read: {error}"))
        return None


def _warn_if_incomplete(pairs: Sequence[layouts.Pair]) -> None:
    counts = Counter(pair.split for pair in pairs)
    for split, official in OFFICIAL_COUNTS.items():
        if counts[split] != official:
            logging.warning(
                "NEU-Seg: %d pairs in the %s split, the complete data set has %d; results will not "
                "compare with published ones.",
                counts[split],
                split,
                official,
            )
