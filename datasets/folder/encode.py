"""From class ids to a mask file with a user's own values: what `class_map.decode_mask` reads."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from uaps_jax.datasets.folder.class_map import ClassMap, Value
from uaps_jax.labels import IGNORE


def first_values(classes: ClassMap) -> dict[int, Value]:
    """Class id -> the first value that stands for it; 255 too, if the user has a value for it."""
    found: dict[int, Value] = {}
    for value, label in classes.ids.items():
        found.setdefault(label, value)
    return found


def encoded(ids: np.ndarray, classes: ClassMap) -> bytes:
    """A PNG, grey of 8 or 16 bits or RGB, of class ids `[H, W]`.

    Pixels without a label (255) have the value of "ignore", or that of the background without one.
    """
    values = first_values(classes)
    values.setdefault(IGNORE, values[0])
    kind = np.uint8 if classes.by_colour or max(map(_number, values.values())) < 256 else np.uint16
    table = np.zeros((IGNORE + 1, 3) if classes.by_colour else IGNORE + 1, kind)
    for label, value in values.items():
        table[label] = value
    content = io.BytesIO()
    Image.fromarray(table[ids]).save(content, format="PNG")
    return content.getvalue()


def _number(value: Value) -> int:
    return max(value) if isinstance(value, tuple) else value
