"""The four kinds of defect.

Each is a function of (rng, grid) and returns a `Mark`: what it adds to the brightness of the
surface, and which pixels an annotator would call defective.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from uaps_jax.datasets.synthetic.fields import (
    UNITS,
    Grid,
    chance,
    fractal_noise,
    integer,
    sign,
    uniform,
)
from uaps_jax.datasets.synthetic.strokes import blob_distance, coverage, polyline_distance


class Mark(NamedTuple):
    """Something on a surface.

    Attributes:
      change: float64 [S, S], what is added to the brightness, where 1 is the full range.
      mask: bool [S, S], the pixels that belong to it.
    """

    change: np.ndarray
    mask: np.ndarray


Defect = Callable[[np.random.Generator, Grid], Mark]


def scratch(rng: np.random.Generator, grid: Grid) -> Mark:
    """A thin line, straight or slightly bent, bright or dark, that thins out at its ends."""
    length, angle = uniform(rng, 18, 52), uniform(rng, 0, np.pi)
    bend = uniform(rng, -1, 1) * (0.09 if chance(rng, 0.5) else 0.015) * length
    t = np.linspace(-0.5, 0.5, 7)
    along, across = t * length, bend * (1 - 4 * t * t)
    x, y = uniform(rng, 14, UNITS - 14), uniform(rng, 14, UNITS - 14)
    cos, sin = np.cos(angle), np.sin(angle)
    points = np.stack([x + along * cos - across * sin, y + along * sin + across * cos], axis=1)
    taper = 0.55 + 0.45 * np.sqrt(1 - (2 * np.abs(t)) ** 2)
    distance = polyline_distance(grid, points, _visible(grid, uniform(rng, 1.0, 1.9) * taper))
    contrast = sign(rng, 0.6) * uniform(rng, 0.16, 0.42)
    # Light catches a scratch unevenly along its way.
    glint = 1.0 + 0.45 * fractal_noise(rng, grid, uniform(rng, 6, 12), 1)
    change = contrast * glint * coverage(distance, max(grid.pixel, 1.0))
    if chance(rng, 0.5):  # A burr of the other sign along one flank.
        change -= 0.35 * contrast * coverage(np.abs(distance - 0.8) - 0.4, max(grid.pixel, 1.0))
    return Mark(change, distance < 0)


def pit(rng: np.random.Generator, grid: Grid) -> Mark:
    """One to five small dark holes close together, with a lit rim on the side of the light."""
    count = integer(rng, 1, 5)
    x, y = uniform(rng, 10, UNITS - 10), uniform(rng, 10, UNITS - 10)
    light = uniform(rng, 0, 2 * np.pi)
    contrast = uniform(rng, 0.18, 0.44)
    change = np.zeros_like(grid.x)
    mask = np.zeros(grid.x.shape, bool)
    for _ in range(count):
        radius = uniform(rng, 1.6, 5.2) / (1.0 + 0.12 * (count - 1))
        spread = 3.2 * np.sqrt(count - 1)
        px, py = x + spread * uniform(rng, -1, 1), y + spread * uniform(rng, -1, 1)
        distance = blob_distance(rng, grid, px, py, radius, 0.28)
        slope = ((grid.x - px) * np.cos(light) + (grid.y - py) * np.sin(light)) / radius
        # Darkest at the wall that faces away from the light.
        hole = -contrast * coverage(distance, 1.4) * np.clip(1.0 - 0.35 * slope, 0.3, 1.6)
        rim = 0.5 * contrast * coverage(np.abs(distance - 0.5) - 0.3, 1.2) * np.clip(slope, 0, 1)
        change += hole + rim
        mask |= distance < 0
    return Mark(np.maximum(change, -1.5 * contrast), mask)


def stain(rng: np.random.Generator, grid: Grid) -> Mark:
    """A large soft region of low contrast with a ragged outline, often with a darker rim."""
    radius = uniform(rng, 7, 15)
    x, y = uniform(rng, 8, UNITS - 8), uniform(rng, 8, UNITS - 8)
    distance = blob_distance(rng, grid, x, y, radius, 0.2)
    distance += 0.35 * radius * fractal_noise(rng, grid, uniform(rng, 7, 12), 3)
    softness = uniform(rng, 1.5, 4.0)
    contrast = sign(rng, 0.3) * uniform(rng, 0.1, 0.22)
    body = coverage(distance, softness)
    mottle = 1.0 + 0.5 * fractal_noise(rng, grid, uniform(rng, 4, 8), 2)
    change = contrast * body * mottle
    if chance(rng, 0.6):  # Drops dry from the rim.
        change += 0.6 * contrast * coverage(np.abs(distance + 0.8) - 0.8, softness)
    return Mark(change, distance < 0)


def crack(rng: np.random.Generator, grid: Grid) -> Mark:
    """A dark, jagged line that wanders at random and branches."""
    heading = uniform(rng, 0, 2 * np.pi)
    steps = integer(rng, 8, 15)
    x = UNITS / 2 - 16 * np.cos(heading) + uniform(rng, -12, 12)
    y = UNITS / 2 - 16 * np.sin(heading) + uniform(rng, -12, 12)
    width = uniform(rng, 0.8, 1.5)
    trunk = _walk(rng, x, y, heading, steps, jag=0.55)
    widths = _visible(grid, width * np.linspace(1.0, 0.6, len(trunk)))
    distance = polyline_distance(grid, trunk, widths)
    for _ in range(integer(rng, 0, 3)):
        start = trunk[integer(rng, 2, len(trunk) - 3)]
        turn = heading + sign(rng) * uniform(rng, 0.5, 1.1)
        branch = _walk(rng, start[0], start[1], turn, integer(rng, 3, 6), jag=0.5)
        widths = _visible(grid, 0.8 * width * np.linspace(1.0, 0.6, len(branch)))
        np.minimum(distance, polyline_distance(grid, branch, widths), out=distance)
    depth = 1.0 + 0.4 * fractal_noise(rng, grid, 8, 1)
    contrast = uniform(rng, 0.18, 0.44)
    return Mark(-contrast * depth * coverage(distance, max(grid.pixel, 1.0)), distance < 0)


DEFECTS: tuple[Defect, ...] = (scratch, pit, stain, crack)
"""All kinds; the class id of a kind is its position plus one."""


def _visible(grid: Grid, half_widths: np.ndarray) -> np.ndarray:
    """Widens a line to the diagonal of a pixel, below which its mask would fall into dashes."""
    return np.maximum(half_widths, 0.72 * grid.pixel)


def _walk(
    rng: np.random.Generator, x: float, y: float, heading: float, steps: int, jag: float
) -> np.ndarray:
    """Returns the corners of a random walk that keeps to its heading, float64 [steps + 1, 2]."""
    points = [(x, y)]
    for _ in range(steps):
        direction = heading + jag * (uniform(rng, -1, 1) + uniform(rng, -1, 1))
        stride = uniform(rng, 1.8, 4.6)
        x, y = x + stride * np.cos(direction), y + stride * np.sin(direction)
        points.append((x, y))
    return np.array(points)
