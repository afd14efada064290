"""The formats of checkpoints: what each holds, and how older ones are read.

1: no `written_by`, and at first no checksums.
2: the step of a halted run is negative, the optimizer's state is Adam's, and a variance head is
   part of the decoders.
3: `halted` and `memory` are parts of the state, the optimizer's is that of a chain of
   transformations, and extra heads stand beside the decoders.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

FORMAT = 3
"""Of the checkpoints that are written now; every version reads all formats up to its own."""

Arrays = Mapping[str, np.ndarray]
"""Path of an array, names joined by "/", -> the array."""

RENAMED = (
    (re.compile(r"(^|/)decoders/variance/"), r"\1heads/variance/"),
    (re.compile(r"^method_state/variance/"), "method_state/heads/variance/"),
)
MOMENTS = re.compile(r"^opt_state/(\d+/)?(?=count$|mu/|nu/)")


def upgraded(arrays: Arrays, written: int, wanted: Arrays) -> dict[str, np.ndarray]:
    """The arrays of the state or of the variables, as this version names them.

    Args:
      arrays: of a checkpoint.
      written: its format.
      wanted: what this version asks for: the place of Adam's moments among the transformations of
        the optimizer is read from it.
    """
    if written >= FORMAT:
        return dict(arrays)
    place = next((m[0] for path in wanted if (m := MOMENTS.match(path))), "opt_state/")
    found = {MOMENTS.sub(place, renamed(path)): array for path, array in arrays.items()}
    if "step" in found:
        found["halted"] = np.asarray(False)
    return found


def renamed(path: str) -> str:
    """The path of an array of format 2 or before, but for those of the optimizer."""
    for old, new in RENAMED:
        path = old.sub(new, path)
    return path
