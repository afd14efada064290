"""The minutes of an image, by hand and by plain loops."""

import numpy as np
import pytest

from uaps_jax.acquisition import cost


def loops(mask):
    """Objects by flood fill and boundary pixels by their four neighbours."""
    height, width = mask.shape
    seen, objects, boundary = set(), 0, 0
    for y in range(height):
        for x in range(width):
            value = mask[y, x]
            if value in (0, 255):
                continue
            sides = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            boundary += any(
                not (0 <= b < height and 0 <= a < width) or mask[b, a] != value for b, a in sides
            )
            if (y, x) in seen:
                continue
            objects += 1
            stack = [(y, x)]
            while stack:
                b, a = stack.pop()
                if (
                    (b, a) in seen
                    or not (0 <= b < height and 0 <= a < width)
                    or mask[b, a] != value
                ):
                    continue
                seen.add((b, a))
                stack += [(b + i, a + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return objects, boundary


def test_objects_and_boundaries_are_those_of_plain_loops():
    random = np.random.default_rng(0)
    for _ in range(20):
        mask = random.choice([0, 0, 0, 1, 2, 255], (9, 7)).astype(np.uint8)
        assert cost.extent(mask) == loops(mask)
    assert cost.extent(np.zeros((4, 4), np.uint8)) == (0, 0)


def test_minutes_are_linear_in_objects_and_boundary():
    mask = np.zeros((10, 10), np.uint8)
    mask[1:4, 1:4], mask[6:9, 6:9] = 1, 2
    model = cost.Cost(per_image=0.5, per_object=2.0, per_100_pixels=10.0)
    assert model.minutes(mask) == pytest.approx(0.5 + 2 * 2 + 10 * 16 / 100)


def test_images_that_do_not_fit_into_the_budget_are_left_out():
    minutes = (3.0, 1.0, 2.0)
    found = {budget: cost.affordable(minutes, budget) for budget in (0.5, 1, 3, 5.9, 6)}
    assert found == {0.5: [], 1: [1], 3: [0], 5.9: [0, 1], 6: [0, 1, 2]}
