"""Classes that an image is known to have, and that its pseudo-mask has lost."""

from __future__ import annotations

import numpy as np

from uaps_jax.labels import IGNORE


def restored(mask: np.ndarray, rough: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """A pseudo-mask with the rough mask of each class of which it has next to nothing left.

    Not part of URN. A network does not find faint defects in its own training images, and their
    cyclic masks are empty; since the images are known to have them, a rough mask is nearer the
    truth than none.

    Args:
      mask: class ids, `[H, W]`, with background 0.
      rough: the mask that the network learnt, likewise; 255 where there is no label.
      share: a class is restored if `mask` has fewer pixels of it than this share of those of
        `rough`.

    Returns:
      The mask, and which of its pixels are restored, bool `[H, W]`.
    """
    result, changed = mask.copy(), np.zeros(mask.shape, bool)
    for label in np.setdiff1d(rough, (0, IGNORE)):
        own = rough == label
        if (mask == label).sum() < share * own.sum():
            result[own] = label
            changed |= own
    return result, changed
