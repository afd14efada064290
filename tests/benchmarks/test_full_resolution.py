"""The photographs of the benchmark are what its page says, and its decisions are right."""

import numpy as np
import pytest
from scipy import ndimage

from benchmarks import full_resolution, photographs
from benchmarks.full_resolution import Scored


def test_defects_are_small_and_every_second_part_is_good():
    sizes, contrasts = [], []
    for number in range(12):
        image, mask = photographs.photograph(7, number, 600, 1000)
        assert image.shape == mask.shape == (600, 1000)
        assert image.dtype == mask.dtype == np.uint8
        assert (mask > 0).any() == (number % 2 == 1)
        assert (mask > 0).mean() < 0.02
        found, count = ndimage.label(mask > 0, np.ones((3, 3)))
        assert count <= photographs.MOST_DEFECTS
        sizes += [max(s.stop - s.start for s in box) for box in ndimage.find_objects(found)]
        for label, sign in ((1, -1), (2, 1)):  # pits are dark, scratches bright
            around = ndimage.binary_dilation(mask == label, iterations=3) & (mask == 0)
            if around.any():
                of_class = image[mask == label].mean(dtype=float)
                contrasts.append(sign * (of_class - image[around].mean(dtype=float)))
    assert min(sizes) >= 3
    assert 20 < max(sizes) < 2 * photographs.LONGEST
    assert np.mean(contrasts) > 25


def test_photographs_follow_from_seed_and_number(tmp_path):
    first = photographs.photograph(0, 3, 60, 80)
    for one, other in zip(first, photographs.photograph(0, 3, 60, 80), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first[0], photographs.photograph(1, 3, 60, 80)[0])
    photographs.write(tmp_path / "new", 0, 2, 60, 80)
    names = sorted(p.name for p in (tmp_path / "new" / "masks").iterdir())
    assert names == ["part_0000.png", "part_0001.png"]


def part(scores, defective, iou_pixels=0):
    matrices = np.zeros((len(scores), 2, 2), int)
    matrices[:, 0, 0] = 90
    matrices[np.array(defective, bool), 1, 0] = 10 - iou_pixels
    matrices[np.array(defective, bool), 1, 1] = iou_pixels
    return Scored(np.array(scores), np.array(defective, bool), matrices)


def test_decisions_at_the_threshold_of_good_validation_photographs():
    good = np.linspace(0.1, 0.49, 40)  # 5 % are two: the third largest is the threshold
    val = part([*good, 0.9], [0] * 40 + [1])
    assert full_resolution.threshold(good) == pytest.approx(0.47)
    test = part([0.2, 0.48, 0.47, 0.46, 0.8, 0.5], [0, 0, 0, 1, 1, 1], iou_pixels=5)
    found = full_resolution.decisions(val, test, ("background", "pit"))
    assert (found["found"], found["defective"]) == (2, 3)
    assert (found["false_alarms"], found["good"]) == (1, 3)
    assert found["auroc"] == pytest.approx(100 * (1 + 3 + 3) / 9)
    assert found["image_iou"] == pytest.approx(50)


def test_a_score_is_the_mean_of_the_largest_pixels():
    defect = np.zeros((10, 10))
    defect[0, :5] = 1
    assert full_resolution.score(defect) == pytest.approx(5 / full_resolution.TOP_PIXELS)
    assert full_resolution.score(np.full((2, 2), 0.3)) == pytest.approx(0.3)
