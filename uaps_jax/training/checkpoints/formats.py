"""The formats of checkpoints, and reading older ones.

1: no `written_by`, and at first no checksums.
2: the step of a halted run is negative, the optimizer's state is Adam's, and a variance head is
   part of the decoders.
3: the state has `halted` and `memory`, the optimizer's state is that of a chain of
   transformations, and extra heads are not part of the decoders.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

FORMAT = 3
"""The current format; every version reads all formats up to its own."""

Arrays = Mapping[str, np.ndarray]
"""Path of an array, names joined by "/", -> the array."""

RENAMED = (
    (re.compile(r"(^|/)decoders/variance/"), r"\1heads/variance/"),
    (re.compile(r"^method_state/variance/"), "method_state/heads/variance/"),
)
MOMENTS = re.compile(r"^opt_state/(\d+/)?(?=count$|mu/|nu/)")


def upgraded(arrays: Arrays, written: int, wanted: Arrays) -> dict[str, np.ndarray]:
    """The arrays of the state or of the variables, by the names of the current format.

    Args:
      arrays: of a checkpoint.
      written: its format.
      wanted: the arrays that the current format expects; the index of Adam in the chain of
        transformations is taken from their paths.
    """
    if written >= FORMAT:
        return dict(arrays)
    prefix = next((m[0] for path in wanted if (m := MOMENTS.match(path))), "opt_state/")
    current = {MOMENTS.sub(prefix, renamed(path)): array for path, array in arrays.items()}
    if "step" in current:
        current["halted"] = np.asarray(False)
    return current


def renamed(path: str) -> str:
    """The current path of an array of an older format, except arrays of the optimizer."""
    for old, new in RENAMED:
        path = old.sub(new, path)
    return path
