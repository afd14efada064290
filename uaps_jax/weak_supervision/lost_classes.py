"""Classes that an image is known to have, and that its pseudo-mask has lost."""

from __future__ import annotations

import numpy as np

from uaps_jax.labels import IGNORE


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


def found_restored(mask: np.ndarray, rough: np.ndarray, is_certain: np.ndarray) -> list[int]:
    """The classes that `restored` gave back, read from a mask as it was stored.

    Args:
      mask: the pseudo-mask, `[H, W]`.
      rough: the mask that the network learnt, likewise.
      is_certain: where the stored confidence is 1, as that of restored pixels is, bool `[H, W]`.

    Returns:
      The classes all of whose rough pixels are in the mask with a confidence of 1.
    """
    labels = [int(label) for label in np.unique(rough) if label not in (0, IGNORE)]
    is_kept = (mask == rough) & is_certain
    return [label for label in labels if is_kept[rough == label].all()]
