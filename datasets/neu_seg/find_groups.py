"""Finds the rotation groups of NEU-Seg and writes `groups.csv`.

    python -m uaps_jax.datasets.neu_seg.find_groups --manual_dir=<folder> --output=groups.csv

Most of the data set is 1110 pictures in four rotations each, and the rotations are spread over the
official training and test split. No two files are equal, for each rotation was saved as a JPEG
anew, so hashes do not see it; small thumbnails do. The run takes a few seconds.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from uaps_jax.datasets import similarity
from uaps_jax.datasets.common import read_image
from uaps_jax.datasets.neu_seg import layouts

THRESHOLD = 0.97
"""Correlation above which two images share a group.

Every rotated copy in NEU-Seg correlates above 0.995 with its source. The threshold is lower, for
the two errors do not weigh the same: it merges a few different but similar pieces of plain steel
(1123 groups instead of 1132), which costs nothing, while a missed copy would leak into the test.
"""


def find_groups(images: Iterable[np.ndarray]) -> list[int]:
    """Returns the rotation group of each image, groups numbered by their first images.

    Args:
      images: uint8 [H, W, 3] each.
    """
    thumbnails = np.stack([similarity.thumbnail(image) for image in images])
    return similarity.connected(len(thumbnails), similarity.similar_pairs(thumbnails, THRESHOLD))


def to_csv(names: Sequence[tuple[str, str]], groups: Sequence[int]) -> str:
    """Returns the text of `groups.csv`.

    Args:
      names: `(split, id)` of each image.
      groups: the group of each image.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["split", "id", "group"])
    writer.writerows((split, id_, group) for (split, id_), group in zip(names, groups, strict=True))
    return text.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--manual_dir", type=Path, required=True, help="folder that holds the raw data"
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="the csv file to write: split,id,group"
    )
    arguments = parser.parse_args()
    location = layouts.find(arguments.manual_dir)
    pairs = layouts.pairs(location)[0]
    with location.tree.reading() as read:
        groups = find_groups(read_image(read(pair.image)) for pair in pairs)
    names = [(pair.split, pair.id) for pair in pairs]
    arguments.output.write_text(to_csv(names, groups), encoding="utf-8")
    sizes, counts = np.unique(np.bincount(groups), return_counts=True)
    print(f"{len(groups)} images, {max(groups) + 1} groups (size: count):", end=" ")
    print(", ".join(f"{size}: {count}" for size, count in zip(sizes, counts, strict=True)))


if __name__ == "__main__":
    main()
