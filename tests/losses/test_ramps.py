"""The staircase ramp."""

import jax
import numpy as np
import pytest

from tests import oracles
from uaps_jax.losses import ramps

ramp_up = jax.jit(ramps.ramp_up)

PUBLISHED = {"neu_seg": (80, 200), "dagm": (60, 200), "mtiles": (50, 200), "ksdd2": (40, 150)}


@pytest.mark.parametrize(("stair", "length"), PUBLISHED.values(), ids=PUBLISHED)
def test_values_of_the_published_ramps(stair, length):
    assert ramp_up(0, stair, length) == pytest.approx(0.0067379, abs=5e-8)
    assert 0.1 * ramp_up(0, stair, length) == pytest.approx(0.00067379, abs=5e-9)
    assert ramp_up(stair * length // 2, stair, length) == pytest.approx(0.2865048, abs=5e-8)
    assert ramp_up(stair * length, stair, length) == 1
    assert ramp_up(stair * length - 1, stair, length) < 1
    assert ramp_up(10 * stair * length, stair, length) == 1


@pytest.mark.parametrize(("stair", "length"), [(80, 200), (1, 7), (3, 1)])
def test_every_step_equals_the_oracle(stair, length):
    steps = np.unique(np.linspace(0, 1.2 * stair * length, 400).astype(np.int32))
    found = jax.vmap(lambda step: ramp_up(step, stair, length))(steps)
    expected = [oracles.ramp_up(int(step), stair, length) for step in steps]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_ramp_moves_once_every_stair():
    found = np.array([ramp_up(step, 5, 4) for step in range(25)])
    moved = np.flatnonzero(np.diff(found)) + 1
    np.testing.assert_array_equal(moved, [5, 10, 15, 20])
    assert (np.diff(found) >= 0).all()


def test_traced_stair_and_length_compile_once():
    traces = []

    @jax.jit
    def ramp(step, stair, length):
        traces.append(1)
        return ramps.ramp_up(step, stair, length)

    for stair, length in ((80, 200), (40, 150)):
        for step in (0, 79, 80, 8000):
            found = ramp(np.int32(step), np.float32(stair), np.float32(length))
            assert found == pytest.approx(oracles.ramp_up(step, stair, length), rel=1e-5)
    assert len(traces) == 1
