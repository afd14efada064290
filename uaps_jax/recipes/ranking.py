"""Rankings of images by the reliability of their pseudo-labels: pure functions, and the CSV."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from uaps_jax.config import ConfigError

FILE = "ranking.csv"
EASY, HARD = "easy", "hard"
"""The parts: the images that are learnt first, and the others."""


class Row(NamedTuple):
    """An image of a ranking.

    Attributes:
      name: of the image.
      score: the product of the terms.
      terms: by name.
      kind: the class of most defect pixels in its pseudo-label, or the background.
      rank: from 1, of the highest score.
      part: `EASY` or `HARD`.
    """

    name: str
    score: float
    terms: Mapping[str, float]
    kind: str
    rank: int
    part: str


def ranked(
    names: Sequence[str],
    terms: Mapping[str, np.ndarray],
    kinds: Sequence[str],
    *,
    share: float,
    balanced: bool,
) -> list[Row]:
    """The images by their score, the highest first; equal ones by name.

    Args:
      names: of the N images.
      terms: name -> values `[N]`, whose product is the score.
      kinds: of the images.
      share: of the images that are easy, rounded down to a whole number of them.
      balanced: whether the same share of each kind is easy; otherwise, the share of all.
    """
    values = {name: np.asarray(term, np.float64) for name, term in terms.items()}
    scores = np.prod(list(values.values()), axis=0)
    order = sorted(range(len(names)), key=lambda row: (-scores[row], names[row]))
    easy = set(_easy(order, kinds, share, balanced))
    return [
        Row(
            name=names[row],
            score=float(scores[row]),
            terms={name: float(term[row]) for name, term in values.items()},
            kind=kinds[row],
            rank=rank,
            part=EASY if row in easy else HARD,
        )
        for rank, row in enumerate(order, start=1)
    ]


def _easy(order: Sequence[int], kinds: Sequence[str], share: float, balanced: bool) -> list[int]:
    """The easy ones of rows that are in the order of their rank."""
    wanted = math.floor(share * len(order))
    if not balanced:
        return list(order[:wanted])
    left = {kind: math.floor(share * count) for kind, count in Counter(kinds).items()}
    chosen = []
    for row in order:
        if left[kinds[row]]:
            left[kinds[row]] -= 1
            chosen.append(row)
    # What is left by rounding down goes to the best of the others.
    others = [row for row in order if row not in set(chosen)]
    return chosen + others[: wanted - len(chosen)]


def kinds(counts: np.ndarray, class_names: Sequence[str]) -> list[str]:
    """The kind of each image, from the pixels of every class in its pseudo-label, `[N, C]`."""
    largest = 1 + counts[:, 1:].argmax(1)
    present = counts[:, 1:].sum(1) > 0
    return [class_names[c if p else 0] for c, p in zip(largest, present, strict=True)]


def kinds_of_parts(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """Part -> kind -> number of images."""
    return {
        part: dict(sorted(Counter(row.kind for row in rows if row.part == part).items()))
        for part in (EASY, HARD)
    }


def to_csv(rows: Sequence[Row]) -> str:
    """The columns name, score, one for each term, kind, rank and part."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "score", *rows[0].terms, "kind", "rank", "part"])
    for row in rows:
        terms = map(repr, row.terms.values())
        writer.writerow([row.name, repr(row.score), *terms, row.kind, row.rank, row.part])
    return text.getvalue()


def names_of(file: Path, part: str) -> list[str]:
    """The names of a part in a ranking, sorted.

    Raises:
      ConfigError: the part has no image.
    """
    with file.open(newline="", encoding="utf-8") as opened:
        names = sorted(row["name"] for row in csv.DictReader(opened) if row["part"] == part)
    if not names:
        raise ConfigError(f"{file}: no image is of the part {part!r}")
    return names
