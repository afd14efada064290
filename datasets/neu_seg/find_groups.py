"""Finds the rotation groups of NEU-Seg and writes `groups.csv`.

    python -m datasets.neu_seg.find_groups --manual_dir=<folder> --output=groups.csv

Most of the data set is 1110 pictures in four rotations each, and the rotations are spread over the
official training and test split. No two files are equal, for each rotation was saved as a JPEG
anew, so hashes do not see it; small thumbnails do. The run takes a few seconds.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from absl import app, flags
from PIL import Image

from datasets.common import read_image
from datasets.neu_seg import layouts

THUMBNAIL = 40
"""Side of a thumbnail in pixels: small enough to forget JPEG noise, large enough for texture."""

THRESHOLD = 0.97
"""Correlation above which two images share a group.

Every rotated copy in NEU-Seg correlates above 0.995 with its source. The threshold is lower, for
the two errors do not weigh the same: it merges a few different but look-alike pieces of plain steel
(1123 groups instead of 1132), which costs nothing, while a missed copy would leak into the test.
"""

_BLOCK = 512
_FLAT = 1e-6

_MANUAL_DIR = flags.DEFINE_string(
    "manual_dir", None, "Folder that holds the raw data.", required=True
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "The csv file to write: split,id,group.", required=True
)


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Returns a grey thumbnail.

    Args:
      image: uint8 [H, W, 3].

    Returns:
      float32 [THUMBNAIL, THUMBNAIL], grey values 0..255.
    """
    # Float, for rounding the means to grey levels costs plain images a few thousandths.
    grey = Image.fromarray(image).convert("L").convert("F")
    # Means over boxes; unlike the usual filters, they commute with rotations exactly.
    return np.array(grey.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))


def standardize(thumbnails: np.ndarray) -> np.ndarray:
    """Returns vectors whose dot products are correlations.

    Args:
      thumbnails: float [N, S, S].

    Returns:
      float32 [N, S * S], each row with mean 0 and norm 1; a flat image gives a row of zeros.
    """
    rows = thumbnails.reshape(len(thumbnails), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(norms > _FLAT, rows / np.maximum(norms, _FLAT), 0).astype(np.float32)


def similar_pairs(thumbnails: np.ndarray, threshold: float) -> Iterator[tuple[int, int]]:
    """Yields the pairs that correlate above the threshold in one of the four rotations.

    Args:
      thumbnails: float [N, S, S].
      threshold: a correlation, in [-1, 1].

    Yields:
      Indices `(i, j)` with i < j; a pair can come more than once.
    """
    upright = standardize(thumbnails)
    for quarter_turns in range(4):
        # The rotation of one side is enough: corr(a, R b) = corr(R^-1 a, b).
        turned = standardize(np.rot90(thumbnails, quarter_turns, axes=(1, 2)))
        for start in range(0, len(upright), _BLOCK):
            # Columns before the block's first row would give pairs that came already.
            correlations = upright[start : start + _BLOCK] @ turned[start:].T
            for i, j in np.argwhere(correlations > threshold):
                if i != j:
                    yield start + int(min(i, j)), start + int(max(i, j))


def connected(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Numbers the connected components, in the order of their first members.

    Args:
      count: number of elements.
      pairs: indices of elements that belong together.

    Returns:
      The component of each element.

    Example:
      >>> connected(5, [(1, 3), (3, 4)])
      [0, 1, 2, 1, 1]
    """
    parent = list(range(count))

    def root(element: int) -> int:
        while parent[element] != element:
            parent[element] = parent[parent[element]]  # Halves the path for the next time.
            element = parent[element]
        return element

    for i, j in pairs:
        a, b = root(i), root(j)
        parent[max(a, b)] = min(a, b)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(element), len(numbers)) for element in range(count)]


def find_groups(images: Iterable[np.ndarray]) -> list[int]:
    """Returns the rotation group of each image, groups numbered by their first members.

    Args:
      images: uint8 [H, W, 3] each.
    """
    thumbnails = np.stack([thumbnail(image) for image in images])
    return connected(len(thumbnails), similar_pairs(thumbnails, THRESHOLD))


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


def main(argv: Sequence[str]) -> None:
    """Reads the images, groups them, writes the file and prints how many groups of which size."""
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    found = layouts.find(Path(_MANUAL_DIR.value))
    pairs = layouts.pairs(found)[0]
    with found.tree.reading() as read:
        groups = find_groups(read_image(read(pair.image)) for pair in pairs)
    names = [(pair.split, pair.id) for pair in pairs]
    Path(_OUTPUT.value).write_text(to_csv(names, groups), encoding="utf-8")
    sizes, counts = np.unique(np.bincount(groups), return_counts=True)
    print(f"{len(groups)} images, {max(groups) + 1} groups (size: count):", end=" ")
    print(", ".join(f"{size}: {count}" for size, count in zip(sizes, counts, strict=True)))


if __name__ == "__main__":
    app.run(main)
