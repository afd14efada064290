"""The official lists of DAGM 2007: which images have a defect.

Each Label folder has a `Labels.txt`. Its first line is "1"; after it comes one line an image, with
tabs between the fields:

    0001    0    0001.PNG    0    0
    0002    1    0002.PNG    0    0002_label.PNG

The fields are the id, whether there is a defect, the image, a zero, and the mask or 0. Lines
without a defect end in one more tab. Lines end as on Windows.
"""

from __future__ import annotations

import re
from typing import NamedTuple

FILE = "Labels.txt"

_ROW = re.compile(r"(?P<id>\d+)\t(?P<defect>[01])\t(?P<image>\S+)\t0\t(?P<mask>\S+)\t?")
_FORM = "a tab-separated line like '0001 0 0001.PNG 0 0' or '0002 1 0002.PNG 0 0002_label.PNG'"


class Row(NamedTuple):
    """The entry of one image."""

    id: str
    defective: bool


class Malformed(NamedTuple):
    """A malformed line; lines are counted from 1."""

    line: int
    reason: str


def parse(data: bytes) -> tuple[list[Row], list[Malformed]]:
    """Reads a list.

    Args:
      data: the content of a `Labels.txt`.

    Returns:
      The rows, in the order of the file, and every malformed line.
    """
    lines = data.decode("ascii", errors="replace").splitlines()
    malformed = []
    if not lines or lines[0] != "1":
        shown = repr(lines[0]) if lines else "nothing"
        malformed.append(Malformed(1, f"expected '1', the file begins with {shown}"))
    rows: dict[str, Row] = {}
    for number, line in enumerate(lines[1:], start=2):
        row = _row(line)
        if row is None:
            malformed.append(Malformed(number, f"expected {_FORM}, found {line!r}"))
        elif row.id in rows:
            malformed.append(Malformed(number, f"lists {row.id} for the second time"))
        else:
            rows[row.id] = row
    return list(rows.values()), malformed


def _row(line: str) -> Row | None:
    match = _ROW.fullmatch(line)
    if not match:
        return None
    id_, defective = match["id"], match["defect"] == "1"
    mask = f"{id_}_label.PNG" if defective else "0"
    if (match["image"], match["mask"]) != (f"{id_}.PNG", mask):
        return None
    return Row(id_, defective)
