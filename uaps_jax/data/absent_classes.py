"""Classes that the labeled images do not show."""

from __future__ import annotations

from collections.abc import Sequence


def warning(absent: Sequence[str], images: int) -> str:
    """That classes have no pixel in the labeled images, and what to do.

    Args:
      absent: names of the classes.
      images: number of labeled images.
    """
    return (
        f"no pixel of {', '.join(absent)} in the labeled images ({images}), and without one a "
        "class is not learned. Label more images, or draw others (data.split_seed)."
    )
