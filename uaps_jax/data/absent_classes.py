"""Classes that the labeled images do not show."""

from __future__ import annotations

from collections.abc import Sequence


def unlearnable(absent: Sequence[str], images: int) -> str:
    """What follows from classes without a pixel in the labeled images, and what to do.

    Args:
      absent: names of the classes.
      images: number of labeled images.
    """
    return (
        f"no pixel of {', '.join(absent)} in the {images} labeled images: they cannot be learned. "
        "Label more images, or draw others (data.split_seed)."
    )
