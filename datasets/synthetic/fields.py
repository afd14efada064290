"""Random numbers and the smooth random fields that all pictures are made of.

Lengths are in *units*: a picture is 64 units wide whatever its size in pixels, so a scratch 2 units
wide looks the same at 64 and at 256 pixels.

All arithmetic is float64, and every random number comes from the uniform doubles of a counter-based
generator, the part of NumPy's random API that changes least. What is left is the last bit of `sin`
and its like, which differs between platforms: it can turn the rounding of a grey value, or move a
pixel on an outline, with a chance of about 1e-9 per picture.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

UNITS = 64.0
"""Width and height of a picture in units."""


class Grid(NamedTuple):
    """The centres of the pixels.

    Attributes:
      x: float64 [S, S], to the right, 0..UNITS.
      y: float64 [S, S], downwards, 0..UNITS.
      pixel: width of a pixel in units.
    """

    x: np.ndarray
    y: np.ndarray
    pixel: float


def make_grid(size: int) -> Grid:
    """Returns the grid of a square picture of `size` pixels a side."""
    pixel = UNITS / size
    centres = (np.arange(size, dtype=np.float64) + 0.5) * pixel
    return Grid(*np.meshgrid(centres, centres), pixel)


def generator(*key: int) -> np.random.Generator:
    """Returns a generator that is a function of its key alone.

    Args:
      *key: two integers, 0 <= key < 2**64.
    """
    return np.random.Generator(np.random.Philox(key=np.array(key, np.uint64)))


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Returns a number in [low, high)."""
    return low + (high - low) * float(rng.random())


def integer(rng: np.random.Generator, low: int, high: int) -> int:
    """Returns a whole number in low..high, both included."""
    return low + int(rng.random() * (high - low + 1))


def chance(rng: np.random.Generator, probability: float) -> bool:
    """Returns True with the given probability."""
    return bool(rng.random() < probability)


def sign(rng: np.random.Generator, positive: float = 0.5) -> float:
    """Returns 1.0 with the given probability, else -1.0."""
    return 1.0 if chance(rng, positive) else -1.0


def white_noise(rng: np.random.Generator, size: int) -> np.ndarray:
    """Returns float64 [size, size] with mean 0 and standard deviation 1, nearly normal.

    Four uniform numbers are added up, which is near enough for the noise of a camera and needs no
    function whose last bit depends on the platform.
    """
    return (rng.random((4, size, size)).sum(axis=0) - 2.0) * np.sqrt(3.0)


def smoothstep(t: np.ndarray) -> np.ndarray:
    """Rises smoothly from 0 at t <= 0 to 1 at t >= 1."""
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def value_noise(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Random values at whole numbers, joined smoothly.

    Args:
      rng: the source of the values.
      x: float64 [H, W], coordinates in cells of the noise; their span sets the number of draws.
      y: float64 [H, W], likewise.

    Returns:
      float64 [H, W] in [-1, 1].
    """
    column, row = np.floor(x), np.floor(y)
    u, v = smoothstep(x - column), smoothstep(y - row)
    j = (column - column.min()).astype(np.intp)
    i = (row - row.min()).astype(np.intp)
    values = rng.random((i.max() + 2, j.max() + 2)) * 2.0 - 1.0
    top = values[i, j] * (1.0 - u) + values[i, j + 1] * u
    bottom = values[i + 1, j] * (1.0 - u) + values[i + 1, j + 1] * u
    return top * (1.0 - v) + bottom * v


def fractal_noise(
    rng: np.random.Generator,
    grid: Grid,
    cell: float,
    octaves: int,
    stretch: float = 1.0,
    angle: float = 0.0,
) -> np.ndarray:
    """Value noise in several sizes, each half as large and half as strong as the one before.

    Args:
      rng: the source of randomness.
      grid: where to evaluate it.
      cell: size of the largest cells in units.
      octaves: number of sizes.
      stretch: length of the cells over their width.
      angle: direction in which the cells are long, in radians.

    Returns:
      float64 [S, S], mean about 0, within [-1, 1].
    """
    along, across = rotate(grid, angle)
    total = np.zeros_like(grid.x)
    for octave in range(octaves):
        scale = 2.0**octave / cell
        # Shifts keep the lattices of the octaves, and of the pictures, from lining up.
        dx, dy = uniform(rng, 0, 1), uniform(rng, 0, 1)
        total += value_noise(rng, along * scale / stretch + dx, across * scale + dy) / 2.0**octave
    return total / (2.0 - 2.0 ** (1 - octaves))


def rotate(grid: Grid, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns coordinates along and across a direction, in units, 0 at the centre."""
    x, y = grid.x - UNITS / 2, grid.y - UNITS / 2
    cos, sin = np.cos(angle), np.sin(angle)
    return x * cos + y * sin, y * cos - x * sin


def blur(image: np.ndarray, strength: float) -> np.ndarray:
    """Smooths with a kernel (strength, 1 - 2 * strength, strength) in both directions.

    Args:
      image: float64 [H, W].
      strength: in [0, 1/3].

    Returns:
      float64 [H, W].
    """
    rows = np.pad(image, ((1, 1), (0, 0)), "edge")
    image = (1 - 2 * strength) * image + strength * (rows[:-2] + rows[2:])
    columns = np.pad(image, ((0, 0), (1, 1)), "edge")
    return (1 - 2 * strength) * image + strength * (columns[:, :-2] + columns[:, 2:])
