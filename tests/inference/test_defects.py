"""The defects of a mask: sizes of shapes that are known, and an independent search."""

import numpy as np
import pytest

from uaps_jax.inference import defects


def by_flood(mask):
    """(label, area, box, centroid) of every 8-connected region, by a search from pixel to pixel."""
    left = {(y, x) for y, x in zip(*np.nonzero((mask > 0) & (mask < 255)), strict=True)}
    while left:
        stack = [left.pop()]
        label, region = mask[stack[0]], []
        while stack:
            y, x = stack.pop()
            region.append((y, x))
            for near in [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]:
                if near in left and mask[near] == label:
                    left.remove(near)
                    stack.append(near)
        y, x = np.array(region).T
        box = (x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1)
        yield int(label), len(region), box, (x.mean(), y.mean())


def test_regions_of_random_masks():
    random = np.random.default_rng(0)
    for _ in range(5):
        mask = random.choice([0, 1, 2, 255], (17, 23), p=[0.6, 0.2, 0.15, 0.05]).astype(np.uint8)
        found, left_out = defects.find(mask, 3)
        assert left_out == 0
        areas = [defect.area for defect in found]
        assert areas == sorted(areas, reverse=True)
        actual = sorted((d.label, d.area, tuple(d.box), d.centroid) for d in found)
        expected = sorted(region for region in by_flood(mask) if region[1] >= 3)
        assert len(actual) == len(expected) > 5
        for one, other in zip(actual, expected, strict=True):
            assert one[:3] == other[:3]
            assert one[3] == pytest.approx(other[3])


def test_the_largest_regions_are_measured_and_the_others_counted(monkeypatch):
    random = np.random.default_rng(1)
    mask = random.choice([0, 1, 2], (23, 31), p=[0.7, 0.2, 0.1]).astype(np.uint8)
    every, none = defects.find(mask, 2)
    assert none == 0
    for most in (1, 4, len(every) - 1):
        monkeypatch.setattr(defects, "MOST", most)
        found, left_out = defects.find(mask, 2)
        assert found == every[:most]
        assert left_out == len(every) - most


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (2, 9), (5, 9), (6, 6)])
def test_an_upright_strip(height, width):
    mask = np.zeros((12, 14), np.uint8)
    mask[3 : 3 + height, 2 : 2 + width] = 1
    [found], _ = defects.find(mask, 0)
    assert found.largest_width == min(height, width)
    assert found.length == pytest.approx(np.hypot(height, width))


def test_a_disk_and_a_bent_line():
    y, x = np.mgrid[:81, :81] - 40
    disk = y**2 + x**2 <= 30**2
    assert defects.largest_width(disk) == pytest.approx(60, abs=1.5)
    assert defects.length(disk) == pytest.approx(61, abs=1.5)
    line = np.eye(40, dtype=bool)
    assert defects.largest_width(line) == 1
    assert defects.length(line) == pytest.approx(40 * np.sqrt(2))
    ring = disk & (y**2 + x**2 > 20**2)
    assert defects.largest_width(ring) == pytest.approx(10, abs=1.5)


def test_a_mask_without_a_defect():
    assert defects.find(np.array([[0, 255]], np.uint8), 0) == ([], 0)
