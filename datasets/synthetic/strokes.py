"""Distances to curves and blobs: the shapes of all defects and of what resembles them.

A distance is negative inside of a shape and positive outside, in units; the mask of a defect is
where it is negative, and its picture fades over about a pixel around the zero line.
"""

from __future__ import annotations

import numpy as np

from uaps_jax.datasets.synthetic.fields import Grid, uniform


def polyline_distance(grid: Grid, points: np.ndarray, half_widths: np.ndarray) -> np.ndarray:
    """Distance to the outline of a stroke.

    Args:
      grid: where to evaluate it.
      points: float64 [K, 2], the corners (x, y) of the line in units, K >= 2.
      half_widths: float64 [K], half the width of the stroke at each corner.

    Returns:
      float64 [S, S].
    """
    nearest = np.full(grid.x.shape, np.inf)
    for k in range(len(points) - 1):
        (ax, ay), (bx, by) = points[k], points[k + 1]
        dx, dy = bx - ax, by - ay
        length2 = max(dx * dx + dy * dy, 1e-12)
        px, py = grid.x - ax, grid.y - ay
        t = np.clip((px * dx + py * dy) / length2, 0.0, 1.0)
        distance = np.sqrt((px - t * dx) ** 2 + (py - t * dy) ** 2)
        width = half_widths[k] + t * (half_widths[k + 1] - half_widths[k])
        np.minimum(nearest, distance - width, out=nearest)
    return nearest


def blob_distance(
    rng: np.random.Generator, grid: Grid, x: float, y: float, radius: float, roughness: float
) -> np.ndarray:
    """Distance to the outline of an irregular blob, roughly an ellipse with dents.

    Args:
      rng: the source of the shape.
      grid: where to evaluate it.
      x: centre in units.
      y: centre in units.
      radius: mean radius in units.
      roughness: 0 for a circle, 0.3 for a ragged one.

    Returns:
      float64 [S, S].
    """
    dx, dy = grid.x - x, grid.y - y
    angle = np.arctan2(dy, dx)
    outline = np.ones_like(angle)
    for waves in (2, 3, 4, 5):
        strength = roughness * uniform(rng, -1, 1) / np.sqrt(waves / 2)
        outline += strength * np.cos(waves * angle + uniform(rng, 0, 2 * np.pi))
    return np.sqrt(dx * dx + dy * dy) - radius * np.maximum(outline, 0.3)


def coverage(distance: np.ndarray, softness: float) -> np.ndarray:
    """Share of a shape in each pixel: 1 inside, 0 outside, 0.5 on the outline.

    Args:
      distance: float64 [S, S], in units.
      softness: width of the transition in units, > 0.

    Returns:
      float64 [S, S] in [0, 1].
    """
    return np.clip(0.5 - distance / softness, 0.0, 1.0)
