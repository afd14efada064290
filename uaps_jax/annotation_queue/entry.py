"""The files of a queue's folder, and its images as lines of a table and of JSON.

The folder has `images/`, copies of the images; `classes.yaml`; `mask/`, `uncertainty/` and other
pictures as `inference.files.write` writes them; and the lists of this module.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from uaps_jax.config import ConfigError
from uaps_jax.datasets.common import MOST_PIXELS
from uaps_jax.datasets.folder import class_map
from uaps_jax.datasets.plain_text import is_plain
from uaps_jax.datasets.regular_files import MOST_TEXT_BYTES, read_regular

LINES = "queue.jsonl"
TABLE = "queue.csv"
PATHS = "queue.txt"
PAGE = "queue.html"
IMAGES = "images"
NUMBERS = ("score", "ambiguity", "minutes")
DECISIONS = "decisions"
"""The folder that `--mode=review` writes into."""


class Entry(NamedTuple):
    """An image of a queue.

    Attributes:
      rank: from 1, in the order of the choice.
      name: of the image; its pictures lie under it.
      image: path in `images/`: the name with the suffix of its format.
      path: of the file that was copied.
      sha256: of its bytes, hexadecimal.
      width: in pixels.
      height: likewise.
      score: how unsure the members are in the most uncertain pixels, in nats; the sum of
        `ambiguity` and `disagreement`.
      ambiguity: mean entropy of the members there.
      disagreement: of the members; None for a single one.
      distance: of the features to the nearest annotated image and image of a lower rank, 0 to 2;
        None for the first where no image is annotated.
      minutes: estimated for its annotation.
      shares: class name -> predicted share of the pixels, background first.
      notes: what was changed to read the file.
    """

    rank: int
    name: str
    image: str
    path: str
    sha256: str
    width: int
    height: int
    score: float
    ambiguity: float
    disagreement: float | None
    distance: float | None
    minutes: float
    shares: Mapping[str, float]
    notes: tuple[str, ...]


def to_lines(entries: Sequence[Entry]) -> str:
    """JSON, a line for each image."""
    return "".join(
        json.dumps(entry._asdict(), ensure_ascii=False, allow_nan=False) + "\n" for entry in entries
    )


def to_table(entries: Sequence[Entry], class_names: Sequence[str]) -> str:
    """CSV; the share of a class has the column `share of CLASS`."""
    plain = [field for field in Entry._fields if field not in ("shares", "notes")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*plain, *(f"share of {name}" for name in class_names), "notes"])
    for entry in entries:
        cells = [getattr(entry, field) for field in plain]
        shares = [f"{entry.shares[name]:.6f}" for name in class_names]
        shown = [f"{cell:.6g}" if isinstance(cell, float) else cell for cell in cells]
        writer.writerow([*shown, *shares, "; ".join(entry.notes)])
    return text.getvalue()


def _is_no_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    return not math.isfinite(value)


class Queue(NamedTuple):
    """A folder that `--mode=queue` wrote.

    Attributes:
      folder: the folder.
      class_names: background first.
      entries: by rank.
    """

    folder: Path
    class_names: tuple[str, ...]
    entries: tuple[Entry, ...]


def read(folder: Path) -> Queue:
    """The queue of a folder.

    Raises:
      ConfigError: the folder is no queue, or its lists are damaged.
    """
    lines = folder / LINES
    if not lines.is_file():
        raise ConfigError(
            f"--input={folder}: has no {LINES}; give the folder of a queue, which --mode=queue "
            "writes"
        )
    try:
        names = class_map.from_file(folder / class_map.CLASSES_FILE).names
    except class_map.ClassMapError as error:
        raise ConfigError(f"{folder / class_map.CLASSES_FILE}: {error}") from error
    entries = []
    try:
        for number, line in enumerate(read_regular(lines, MOST_TEXT_BYTES).splitlines(), start=1):
            entries.append(_entry(json.loads(line), number))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        where = f"{lines}, line {len(entries) + 1}"
        raise ConfigError(f"{where}: is no image of a queue: {error}") from error
    if not entries:
        raise ConfigError(f"{lines}: has no image")
    return Queue(folder, names, tuple(entries))


def _entry(values: Any, rank: int) -> Entry:
    """An image of a line; its paths are checked, since they are opened and written."""
    entry = Entry(**{field: values[field] for field in Entry._fields})
    sides = entry.width, entry.height
    if entry.rank != rank:
        raise ValueError(f"rank {entry.rank!r}: must be {rank}")
    if not all(type(side) is int and side > 0 for side in sides):
        raise ValueError(f"an image of {entry.width!r} x {entry.height!r} pixels")
    if entry.width * entry.height > MOST_PIXELS:
        raise ValueError(f"an image of {entry.width} x {entry.height} pixels")
    if any(_is_no_number(getattr(entry, field)) for field in NUMBERS):
        raise ValueError(f"{', '.join(NUMBERS)} are not all numbers")
    if any(
        _is_no_number(value) for value in (entry.disagreement, entry.distance) if value is not None
    ):
        raise ValueError("disagreement or distance is no number")
    if not isinstance(entry.shares, dict) or any(map(_is_no_number, entry.shares.values())):
        raise ValueError("the shares of the classes are not numbers")
    if not isinstance(entry.path, str) or not isinstance(entry.sha256, str):
        raise ValueError("path or sha256 is no text")
    for text in (entry.name, entry.image):
        path = Path(text)
        if not text or not is_plain(text) or path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{text!r} leads out of the folder")
    return entry._replace(notes=tuple(map(str, entry.notes)))
