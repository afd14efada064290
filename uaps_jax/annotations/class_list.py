"""Writes `classes.yaml`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from uaps_jax.datasets.folder.class_map import CLASSES_FILE


def write(folder: Path, values: Mapping[str, int]) -> None:
    """Writes the mask value of each class, background first, into a folder."""
    (folder / CLASSES_FILE).write_text(text(values), encoding="utf-8")


def text(values: Mapping[str, int]) -> str:
    """The content of the file."""
    # A JSON string is a YAML one, if it has no control characters.
    lines = (f"{json.dumps(name, ensure_ascii=False)}: {value}\n" for name, value in values.items())
    return "".join(lines)
