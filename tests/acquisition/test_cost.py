"""The minutes of an image, by hand and by plain loops."""

import math

import numpy as np
import pytest

from uaps_jax.acquisition import cost


def loops(mask):
    """Objects by flood fill, and pairs of neighbours with different values."""
    height, width = mask.shape
    seen, objects, sides = set(), 0, 0
    for y in range(height):
        for x in range(width):
            value = mask[y, x]
            sides += y + 1 < height and mask[y + 1, x] != value
            sides += x + 1 < width and mask[y, x + 1] != value
            if value in (0, 255) or (y, x) in seen:
                continue
            objects += 1
            stack = [(y, x)]
            while stack:
                b, a = stack.pop()
                inside = 0 <= b < height and 0 <= a < width
                if (b, a) in seen or not inside or mask[b, a] != value:
                    continue
                seen.add((b, a))
                stack += [(b + i, a + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return objects, sides


def test_objects_and_boundaries_are_those_of_plain_loops():
    random = np.random.default_rng(0)
    for _ in range(20):
        mask = random.choice([0, 0, 0, 1, 2, 255], (9, 7)).astype(np.uint8)
        objects, sides = loops(mask)
        assert cost.count_objects(mask) == objects
        assert cost.boundary_length(mask) == pytest.approx(math.pi / 4 * sides)


def test_minutes_are_linear_in_objects_and_clicks():
    mask = np.zeros((10, 10), np.uint8)
    mask[1:4, 1:4], mask[6:9, 6:9] = 1, 2  # 12 sides each
    model = cost.CostModel(image=30, object=120, click=6, spacing=2)
    clicks = math.pi / 4 * 24 / 2
    assert model.minutes(mask) == pytest.approx((30 + 2 * 120 + 6 * clicks) / 60)
