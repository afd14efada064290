"""Makes one example of the synthetic data set from (seed, split, index, size, scene) alone.

The generator is frozen: what it makes is part of the data set's version. A change that alters a
single pixel needs a new version of the builder and new hashes in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from uaps_jax.datasets.synthetic.defects import DEFECTS, Defect, pit, scratch, stain
from uaps_jax.datasets.synthetic.distractors import DISTRACTORS, Distractor, roll_marks, shadow
from uaps_jax.datasets.synthetic.fields import (
    blur,
    chance,
    generator,
    integer,
    make_grid,
    uniform,
    white_noise,
)
from uaps_jax.datasets.synthetic.surfaces import SURFACES, Surface, illumination, rolled

T = TypeVar("T")

LABELS = ("background", "scratch", "pit", "stain", "crack")
"""Class names; their positions are the class ids of the masks."""

SPLITS = {"train": 512, "val": 96, "test": 192}
"""Number of examples in each split."""


class Scene(NamedTuple):
    """What can be seen, and how.

    Attributes:
      surfaces: families of surfaces, one a picture.
      distractors: up to two of them a picture.
      defects: their kinds.
      labels: class names of the masks.
      ids: class of each kind of defect.
      contrast: factor of the brightness that a defect adds.
      magnification: if not 1, a window of the picture is seen, this much larger, with a pixel of a
        defect in it if there is one.
    """

    surfaces: Sequence[Surface] = SURFACES
    distractors: Sequence[Distractor] = DISTRACTORS
    defects: Sequence[Defect] = DEFECTS
    labels: Sequence[str] = LABELS
    ids: Sequence[int] = (1, 2, 3, 4)
    contrast: float = 1.0
    magnification: float = 1.0


SCENES = {
    "mixed": Scene(),
    "line": Scene((rolled,), (roll_marks, shadow)),
    "closeup": Scene(
        distractors=(),
        defects=(scratch, pit, stain),
        labels=("background", "defect"),
        ids=(1, 1, 1),
        contrast=1.6,
        magnification=1.75,
    ),
}
"""`mixed`: parts of many kinds; `line`: one product on its line; `closeup`: parts of many kinds,
from near, with clear defects of one class and nothing that resembles them."""

MIN_SIZE = 32
"""Below this, cracks and scratches are thinner than a pixel."""

_DEFECT_FREE = 0.1
_SECOND_DEFECT, _THIRD_DEFECT = 0.5, 0.35


def make_example(
    seed: int, split: str, index: int, size: int, scene: str = "mixed"
) -> tuple[np.ndarray, np.ndarray]:
    """Draws a surface, what is on it, and the light and the camera that see it.

    Args:
      seed: 0 <= seed < 2**64; another seed is another data set.
      split: a key of `SPLITS`.
      index: number of the example in its split, 0 <= index < 2**32; it may lie beyond the number of
        examples of the split.
      size: width and height in pixels, at least `MIN_SIZE`. Another size is another picture, not
        the same one scaled.
      scene: a key of `SCENES`.

    Returns:
      image: uint8 [size, size, 3], RGB.
      mask: uint8 [size, size], the ids of the scene's labels.

    Raises:
      ValueError: if an argument is out of its range.
    """
    _check(seed, split, index, size, scene)
    seen = SCENES[scene]
    rng = generator(seed, list(SPLITS).index(split) << 32 | index)
    grid = make_grid(round(seen.magnification * size))
    picture = uniform(rng, 0.32, 0.62) + _one_of(rng, seen.surfaces)(rng, grid)
    for _ in range(integer(rng, 0, 2) if seen.distractors else 0):
        picture += _one_of(rng, seen.distractors)(rng, grid)

    mask = np.zeros(picture.shape, np.uint8)
    kinds = [integer(rng, 0, len(seen.defects) - 1) for _ in range(_count_defects(rng))]
    # Stains come first: a scratch through a stain stays visible, so its pixels are the scratch's.
    for kind in sorted(kinds, key=lambda kind: seen.defects[kind] is not stain):
        mark = seen.defects[kind](rng, grid)
        picture += seen.contrast * mark.change
        mask[mark.mask] = seen.ids[kind]  # Where two overlap, the later one has the pixel.

    picture *= illumination(rng, grid)
    picture = blur(picture, uniform(rng, 0.0, 0.14))
    picture += uniform(rng, 0.006, 0.03) * white_noise(rng, len(picture))
    image = _to_rgb(rng, picture)
    if seen.magnification == 1:
        return image, mask
    window = _window(rng, mask, size)
    return image[window], mask[window]


def _window(rng: np.random.Generator, mask: np.ndarray, size: int) -> tuple[slice, slice]:
    """Rows and columns of a window with a defective pixel, if there is one.

    Each defective pixel is equally likely, so that large defects are seen more often. It is in the
    middle half of rows and columns, unless that is too near to the border of the picture.
    """
    pixels = np.argwhere(mask)
    if not len(pixels):
        pixels = np.argwhere(mask == 0)
    centre = pixels[integer(rng, 0, len(pixels) - 1)]
    offsets = [integer(rng, size // 4, 3 * size // 4 - 1) for _ in centre]
    row, column = np.clip(centre - offsets, 0, len(mask) - size)
    return slice(row, row + size), slice(column, column + size)


def _check(seed: int, split: str, index: int, size: int, scene: str) -> None:
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}, expected one of {list(SPLITS)}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed is {seed}, expected 0 <= seed < 2**64")
    if not 0 <= index < 2**32:
        raise ValueError(f"index is {index}, expected 0 <= index < 2**32")
    if size < MIN_SIZE:
        raise ValueError(f"size is {size}, expected at least {MIN_SIZE}")
    if scene not in SCENES:
        raise ValueError(f"scene is {scene!r}, expected one of {list(SCENES)}")


def _count_defects(rng: np.random.Generator) -> int:
    if chance(rng, _DEFECT_FREE):
        return 0
    return 1 + chance(rng, _SECOND_DEFECT) + chance(rng, _THIRD_DEFECT)


def _one_of(rng: np.random.Generator, choices: Sequence[T]) -> T:
    return choices[integer(rng, 0, len(choices) - 1)]


def _to_rgb(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Most inspection cameras are grey; the others have a slight cast of the lamp's colour."""
    tint = np.ones(3)
    if chance(rng, 0.3):
        warmth = uniform(rng, -0.08, 0.08)
        tint = np.array([1.0 + warmth, 1.0, 1.0 - warmth])
    values = np.clip(picture[:, :, None] * tint, 0.0, 1.0) * 255.0
    return np.floor(values + 0.5).astype(np.uint8)
