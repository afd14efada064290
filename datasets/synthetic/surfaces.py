"""Four families of sound surfaces, as inspection cameras see them.

Each is a function of (rng, grid) and returns relief, float64 [S, S], about 0 with an amplitude of
some hundredths to tenths; brightness, light and noise come later.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from uaps_jax.datasets.synthetic.fields import (
    Grid,
    chance,
    fractal_noise,
    rotate,
    uniform,
    white_noise,
)

Surface = Callable[[np.random.Generator, Grid], np.ndarray]


def brushed(rng: np.random.Generator, grid: Grid) -> np.ndarray:
    """Brushed metal: fine streaks in one direction."""
    angle = uniform(rng, -0.15, 0.15) + (np.pi / 2 if chance(rng, 0.5) else 0.0)
    stretch = uniform(rng, 12, 40)
    fine = fractal_noise(rng, grid, uniform(rng, 1.2, 2.5), 2, stretch, angle)
    broad = fractal_noise(rng, grid, uniform(rng, 5, 10), 1, stretch, angle)
    return uniform(rng, 0.05, 0.13) * fine + uniform(rng, 0.02, 0.06) * broad


def cast(rng: np.random.Generator, grid: Grid) -> np.ndarray:
    """Cast metal: grains of several sizes, sparse dark pores between them."""
    grains = fractal_noise(rng, grid, uniform(rng, 2.5, 5), 3)
    patches = fractal_noise(rng, grid, uniform(rng, 14, 24), 2)
    pores = np.minimum(grains + uniform(rng, 0.25, 0.4), 0.0)
    relief = uniform(rng, 0.07, 0.16) * grains + uniform(rng, 0.02, 0.05) * patches
    return relief + uniform(rng, 0.1, 0.3) * pores


def machined(rng: np.random.Generator, grid: Grid) -> np.ndarray:
    """Milling marks, or a weave where two directions cross: periodic, with a wandering phase."""
    angle = uniform(rng, 0, np.pi)
    period = uniform(rng, 3.2, 7.0)
    along, across = rotate(grid, angle)
    bend = uniform(rng, -0.006, 0.006) * along * along  # A face mill leaves arcs.
    wander = uniform(rng, 0.3, 1.2) * fractal_noise(rng, grid, 24, 2)
    marks = np.cos(2 * np.pi * (across + bend) / period + wander)
    if chance(rng, 0.4):
        marks = 0.5 * (marks + np.cos(2 * np.pi * along / period + wander))
    worn = 1.0 + 0.5 * fractal_noise(rng, grid, 20, 2)  # The marks fade in places.
    grains = fractal_noise(rng, grid, 2.0, 1)
    return uniform(rng, 0.035, 0.1) * marks * worn + uniform(rng, 0.02, 0.05) * grains


def rolled(rng: np.random.Generator, grid: Grid) -> np.ndarray:
    """Smooth rolled steel: almost plain, cloudy, slightly grainy."""
    clouds = fractal_noise(rng, grid, uniform(rng, 18, 36), 3)
    grains = white_noise(rng, grid.x.shape[0])
    return uniform(rng, 0.03, 0.08) * clouds + uniform(rng, 0.008, 0.02) * grains


SURFACES: tuple[Surface, ...] = (brushed, cast, machined, rolled)
"""All families; they are equally frequent."""


def illumination(rng: np.random.Generator, grid: Grid) -> np.ndarray:
    """Uneven light: a slope, a dark edge of the lens, sometimes the glare of a lamp.

    Returns:
      float64 [S, S], a factor about 1.
    """
    along, across = rotate(grid, uniform(rng, 0, 2 * np.pi))
    light = 1.0 + uniform(rng, 0.0, 0.008) * along
    light -= uniform(rng, 0.0, 0.00015) * (along * along + across * across)
    if chance(rng, 0.35):
        offset, width = uniform(rng, -24, 24), uniform(rng, 8, 18)
        light += uniform(rng, 0.08, 0.25) / (1.0 + ((across - offset) / width) ** 2)
    return light
