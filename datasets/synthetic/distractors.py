"""Structures that resemble defects but are none.

Each is a function of (rng, grid) and returns what it adds to the brightness, float64 [S, S].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from uaps_jax.datasets.synthetic.fields import UNITS, Grid, integer, rotate, sign, uniform
from uaps_jax.datasets.synthetic.strokes import coverage

Distractor = Callable[[np.random.Generator, Grid], np.ndarray]


def roll_marks(rng: np.random.Generator, grid: Grid) -> np.ndarray:
    """Faint parallel lines across the whole picture; unlike scratches, they have no end."""
    _, across = rotate(grid, uniform(rng, 0, np.pi))
    change = np.zeros_like(across)
    spacing, first = uniform(rng, 7, 18), uniform(rng, -24, 10)
    contrast = sign(rng) * uniform(rng, 0.06, 0.16)
    for line in range(integer(rng, 1, 3)):
        offset = first + line * spacing
        change += contrast * coverage(np.abs(across - offset) - uniform(rng, 0.4, 1.1), 1.6)
    return change


def shadow(rng: np.random.Generator, grid: Grid) -> np.ndarray:
    """A soft round shadow; unlike a stain, it has no outline."""
    x, y = uniform(rng, 0, UNITS), uniform(rng, 0, UNITS)
    squared = ((grid.x - x) ** 2 + (grid.y - y) ** 2) / uniform(rng, 10, 18) ** 2
    return sign(rng, 0.25) * uniform(rng, 0.08, 0.2) * np.exp(-squared)


def printed_dots(rng: np.random.Generator, grid: Grid) -> np.ndarray:
    """A row of printed dots; unlike pits, they are round, equal and evenly spaced."""
    along, across = rotate(grid, uniform(rng, 0, np.pi))
    spacing, radius = uniform(rng, 5.5, 8.5), uniform(rng, 1.2, 2.2)
    count, rows = integer(rng, 3, 6), integer(rng, 1, 2)
    start, offset = uniform(rng, -26, 0), uniform(rng, -20, 14)
    contrast = uniform(rng, 0.15, 0.38)
    change = np.zeros_like(along)
    for row in range(rows):
        for dot in range(count):
            dx, dy = along - start - dot * spacing, across - offset - row * spacing
            change -= contrast * coverage(np.sqrt(dx * dx + dy * dy) - radius, 1.0)
    return change


def joint(rng: np.random.Generator, grid: Grid) -> np.ndarray:
    """A straight step in brightness: two parts, or two passes of a tool, side by side."""
    _, across = rotate(grid, uniform(rng, 0, np.pi))
    step = coverage(across - uniform(rng, -22, 22), uniform(rng, 0.8, 3.0))
    return sign(rng) * uniform(rng, 0.05, 0.14) * step


DISTRACTORS: tuple[Distractor, ...] = (roll_marks, shadow, printed_dots, joint)
"""All kinds; they are equally frequent."""
