"""The intervalcase ramp."""

import jax
import numpy as np
import pytest

from tests import oracles
from uaps_jax.losses import ramps

ramp_up = jax.jit(ramps.ramp_up)

PUBLISHED = {"neu_seg": (80, 200), "dagm": (60, 200), "mtiles": (50, 200), "ksdd2": (40, 150)}


@pytest.mark.parametrize(("interval", "length"), PUBLISHED.values(), ids=PUBLISHED)
def test_values_of_the_published_ramps(interval, length):
    assert ramp_up(0, interval, length) == pytest.approx(0.0067379, abs=5e-8)
    assert 0.1 * ramp_up(0, interval, length) == pytest.approx(0.00067379, abs=5e-9)
    assert ramp_up(interval * length // 2, interval, length) == pytest.approx(0.2865048, abs=5e-8)
    assert ramp_up(interval * length, interval, length) == 1
    assert ramp_up(interval * length - 1, interval, length) < 1
    assert ramp_up(10 * interval * length, interval, length) == 1


@pytest.mark.parametrize(("interval", "length"), [(80, 200), (1, 7), (3, 1)])
def test_every_step_equals_the_oracle(interval, length):
    steps = np.unique(np.linspace(0, 1.2 * interval * length, 400).astype(np.int32))
    result = jax.vmap(lambda step: ramp_up(step, interval, length))(steps)
    expected = [oracles.ramp_up(int(step), interval, length) for step in steps]
    np.testing.assert_allclose(result, expected, rtol=1e-5)


def test_the_ramp_moves_once_every_interval():
    result = np.array([ramp_up(step, 5, 4) for step in range(25)])
    moved = np.flatnonzero(np.diff(result)) + 1
    np.testing.assert_array_equal(moved, [5, 10, 15, 20])
    assert (np.diff(result) >= 0).all()


def test_traced_interval_and_length_compile_once():
    traces = []

    @jax.jit
    def ramp(step, interval, length):
        traces.append(1)
        return ramps.ramp_up(step, interval, length)

    for interval, length in ((80, 200), (40, 150)):
        for step in (0, 79, 80, 8000):
            result = ramp(np.int32(step), np.float32(interval), np.float32(length))
            assert result == pytest.approx(oracles.ramp_up(step, interval, length), rel=1e-5)
    assert len(traces) == 1
