"""The leakage groups of NEU-Seg: rotations of the same picture."""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from pathlib import Path

GROUPS_FILE = Path(__file__).parent / "groups.csv"
"""Columns split, id, group; made by `find_groups.py`."""

UNKNOWN = -1
"""Group of an image that is not in the list."""


@functools.cache
def groups() -> Mapping[str, int]:
    """Returns name -> group of all 4470 official images, for example "training/000201" -> 835.

    Images of one group are near-identical up to a rotation by 0, 90, 180 or 270 degrees, so a
    group must not be divided between training and test.
    """
    with GROUPS_FILE.open(newline="", encoding="utf-8") as file:
        return {f"{row['split']}/{row['id']}": int(row["group"]) for row in csv.DictReader(file)}
