"""Classes that an image is known to have, and that its pseudo-mask has lost."""

from __future__ import annotations

import numpy as np


def restored(
    mask: np.ndarray, rough: np.ndarray, classes: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """A pseudo-mask with the rough mask of each class of which it has next to nothing left.

    Not part of URN. A network does not find faint defects in its own training images, and their
    cyclic masks are empty; since the images are known to have them, a rough mask is nearer the
    truth than none. A class that loses its pixels to a restored one is restored, too.

    Args:
      mask: class ids, `[H, W]`.
      rough: the mask that the network learnt, likewise; 255 where there is no label.
      classes: which classes the image has, bool `[C]`; the background, 0, is not restored.
      share: a class is restored if the mask has fewer pixels of it than this share of those of
        `rough`.

    Returns:
      The mask, and which of its pixels are restored, bool `[H, W]`.
    """
    result, changed = mask.copy(), np.zeros(mask.shape, bool)
    left = [label for label in np.flatnonzero(classes) if label != 0]
    while True:
        lost = [c for c in left if (result == c).sum() < share * (rough == c).sum()]
        if not lost:
            return result, changed
        for label in lost:
            own = rough == label
            result[own] = label
            changed |= own
        left = [label for label in left if label not in lost]
