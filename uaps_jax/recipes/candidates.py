"""The images among which rounds choose, and the files of a choice."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from uaps_jax import files
from uaps_jax.data import grouped
from uaps_jax.data.protocols import read_split
from uaps_jax.data.splits import PARTS, Split

IMAGES, LABELED, SUMMARY, SPLIT = "images.csv", "labeled.txt", "summary.json", "split.json"
"""The files of a choice: every candidate, the labeled images, numbers; of annotation: the split."""

CHOSEN, ANNOTATED, OTHER = "chosen", "annotated", "not chosen"
"""The states of candidates."""


class Row(NamedTuple):
    """A candidate.

    Attributes:
      name: of the image.
      state: `CHOSEN`, `ANNOTATED` before this choice, or `OTHER`.
      order: of the choice, from 1; 0 for the others.
      score: None where the choice does not score.
      share: percent of the pixels that are predicted as defects; None without a prediction.
      minutes: estimated for its annotation.
    """

    name: str
    state: str
    order: int
    score: float | None
    share: float | None
    minutes: float


def one_of_each_group(
    names: Iterable[str], groups: Mapping[str, int], seed: int, labeled: Collection[str] = ()
) -> list[str]:
    """One image of each leakage group, sorted; images of an unknown group are all taken.

    It is drawn by a digest of seed and name, without a look at masks. Labeled images are all taken,
    and no others of their groups.
    """
    taken = {groups[name] for name in labeled if groups[name] >= 0}
    found = set(labeled)
    of_group: dict[int, list[str]] = {}
    for name in names:
        if groups[name] < 0:
            found.add(name)
        elif groups[name] not in taken:
            of_group.setdefault(groups[name], []).append(name)
    for members in of_group.values():
        found.add(grouped.representative(members, dict.fromkeys(members, frozenset()), seed))
    return sorted(found)


def to_csv(rows: Sequence[Row]) -> str:
    """Chosen images first, in their order; then the others by their score."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "state", "order", "score", "predicted_percent", "minutes"])
    ordered = sorted(
        rows, key=lambda row: (row.order == 0, row.order, row.state, -(row.score or 0), row.name)
    )
    for row in ordered:
        numbers = ["" if v is None else repr(v) for v in (row.score, row.share, row.minutes)]
        writer.writerow([row.name, row.state, row.order or "", *numbers])
    return text.getvalue()


def chosen_names(folder: Path) -> list[str]:
    """The images that a choice has chosen, in its order."""
    with (folder / IMAGES).open(newline="", encoding="utf-8") as opened:
        return [row["name"] for row in csv.DictReader(opened) if row["state"] == CHOSEN]


def write_names(file: Path, names: Iterable[str]) -> None:
    """Writes names, sorted, one a line."""
    files.write_text(file, "".join(f"{name}\n" for name in sorted(names)))


def labeled_names(folder: Path) -> list[str]:
    """The labeled images after a choice or an annotation."""
    return [name for name in (folder / LABELED).read_text().split("\n") if name]


def write_summary(folder: Path, values: Mapping[str, Any]) -> None:
    """Writes the numbers of a choice or an annotation."""
    files.write_text(folder / SUMMARY, json.dumps(values, indent=1) + "\n")


def summary(folder: Path) -> dict[str, Any]:
    """The numbers of a choice or an annotation."""
    read: dict[str, Any] = json.loads((folder / SUMMARY).read_text())
    return read


def write_split(folder: Path, split: Split) -> None:
    """Writes a split as `data.split_file` reads it."""
    content = {part: sorted(split[part]) for part in PARTS}
    files.write_text(folder / SPLIT, json.dumps(content, indent=1) + "\n")


def split_of(folder: Path) -> Split:
    """The split that a choice or an annotation has written."""
    return read_split(str(folder / SPLIT))
