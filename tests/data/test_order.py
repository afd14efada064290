"""The order of images is a pure function of (seed, stream, step)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uaps_jax.data.order import batch_indices


def rows(steps, batch, size, seed=0, stream="labeled"):
    return [
        batch_indices(seed=seed, stream=stream, step=s, batch=batch, size=size)
        for s in range(steps)
    ]


@given(batch=st.integers(1, 9), size=st.integers(1, 20))
def test_every_epoch_is_a_permutation(batch, size):
    flat = np.concatenate(rows(-(-3 * size // batch), batch, size))
    for epoch in range(3):
        assert sorted(flat[epoch * size : (epoch + 1) * size]) == list(range(size))


def test_epochs_streams_and_seeds_differ():
    first, second = np.split(np.concatenate(rows(2, 50, 50)), 2)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, rows(1, 50, 50, stream="unlabeled")[0])
    assert not np.array_equal(first, rows(1, 50, 50, seed=1)[0])


def test_a_late_starter_sees_the_same_batches():
    early = rows(12, 4, 7)
    late = batch_indices(seed=0, stream="labeled", step=11, batch=4, size=7)
    np.testing.assert_array_equal(early[11], late)


def test_a_known_order_stays():
    """A changed order would make old runs irreproducible."""
    got = batch_indices(seed=7, stream="labeled", step=0, batch=6, size=6)
    np.testing.assert_array_equal(got, KNOWN)


def test_an_empty_pool_is_an_error():
    with pytest.raises(ValueError, match="empty"):
        batch_indices(seed=0, stream="labeled", step=0, batch=1, size=0)


KNOWN = [2, 5, 3, 1, 0, 4]
