"""Reads JSON files of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from uaps_jax.datasets.regular_files import read_regular

MOST_BYTES = 2**27


def read(path: Path, most: int = MOST_BYTES) -> Any:
    """The content of a JSON file, UTF-8, with or without a byte order mark.

    Raises:
      OSError: it cannot be read, or has more bytes.
      ValueError: it is not UTF-8 or no JSON, or holds NaN, which is none.
      RecursionError: it is too deep.
    """
    return json.loads(read_regular(path, most).decode("utf-8-sig"), parse_constant=_refused)


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")
