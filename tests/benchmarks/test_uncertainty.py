"""How well an uncertainty finds wrong pixels, against direct counts."""

import numpy as np
import pytest

from benchmarks.uncertainty import Calibration, Ranked


@pytest.fixture
def pixels():
    random = np.random.default_rng(0)
    wrong = random.uniform(size=4000) < 0.1
    uncertainty = np.round(random.uniform(size=4000) + 0.3 * wrong, 2)  # with ties
    return uncertainty, wrong


def ranked(uncertainty, wrong):
    found = Ranked()
    for part in np.array_split(np.arange(len(wrong)), 3):
        found.add(uncertainty[part], wrong[part])
    return found


def test_the_auroc_is_the_share_of_ordered_pairs(pixels):
    uncertainty, wrong = pixels
    rounded = uncertainty.astype(np.float16)
    pairs = rounded[wrong][:, None] - rounded[~wrong][None]
    expected = (pairs > 0).mean() + (pairs == 0).mean() / 2
    assert ranked(uncertainty, wrong).auroc() == pytest.approx(expected, abs=1e-9)


def test_what_the_most_uncertain_pixels_hold():
    uncertainty = np.array([0.9, 0.8, 0.8, 0.5, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0])
    wrong = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 1], bool)
    found = ranked(uncertainty, wrong)
    assert found.found(0.1) == pytest.approx(1 / 4)
    assert found.found(0.2) == pytest.approx(1.5 / 4)  # half of two equal ones, one of them wrong
    assert found.found(0.3) == pytest.approx(2 / 4)
    assert found.found(1.0) == pytest.approx(1)


def test_the_calibration_error_by_hand():
    calibration = Calibration()
    calibration.add(np.array([0.95, 0.99]), np.array([True, False]))  # 0.97 and 0.5
    calibration.add(np.array([0.5, 0.5]), np.array([True, True]))  # 0.5 and 1
    assert calibration.error() == pytest.approx((2 * 0.47 + 2 * 0.5) / 4)
    assert calibration.wrong() == pytest.approx(1 / 4)
