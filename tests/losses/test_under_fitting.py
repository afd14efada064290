"""The loss that leaves out the hardest pixels, against numpy and on a rare class."""

import functools

import jax
import numpy as np
import pytest

from tests import oracles
from uaps_jax.labels import IGNORE
from uaps_jax.losses.under_fitting import pretended_under_fitting


@functools.cache
def slopes(form, start):
    loss = functools.partial(pretended_under_fitting, start=start, limit=0.5, form=form)
    return jax.jit(jax.value_and_grad(loss))


def expected(logits, labels, start, form):
    losses = oracles.cross_entropy_map(logits, labels)
    valid = labels != IGNORE
    if form == "released":
        clamp = losses.mean() < start
        return (np.minimum(losses, 0.5) if clamp else losses).mean()
    means = [losses[labels == label].mean() for label in np.unique(labels[valid])]
    clamp = np.mean(means) < start
    return (np.minimum(losses, 0.5) if clamp else losses)[valid].mean()


def batch():
    random = np.random.default_rng(0)
    labels = random.choice([0, 1, IGNORE], (2, 5, 4), p=[0.6, 0.2, 0.2]).astype(np.int32)
    logits = random.normal(size=(2, 5, 4, 3)).astype(np.float32)
    return logits, labels


@pytest.mark.parametrize("start", [0.2, 9.0])
@pytest.mark.parametrize("form", ["released", "repaired"])
def test_it_equals_the_oracle(form, start):
    logits, labels = batch()
    value, slope = slopes(form, start)(logits, labels)
    np.testing.assert_allclose(value, expected(logits, labels, start, form), rtol=1e-5)
    losses = oracles.cross_entropy_map(logits, labels)
    learns = (labels != IGNORE) & ((losses < 0.5) | (start < 1))
    np.testing.assert_array_equal((slope != 0).any(-1), learns)


def test_a_rare_class_is_learnt_by_the_repaired_form_alone():
    """The background is known, and one pixel of a defect is not."""
    labels = np.zeros((1, 10, 10), np.int32)
    labels[0, 4, 4] = 1
    logits = np.zeros((1, 10, 10, 3), np.float32)
    logits[..., 0] = 6
    for form, learns in (("released", False), ("repaired", True)):
        slope = slopes(form, 0.5)(logits, labels)[1]
        assert (slope[0, 4, 4] != 0).any() == learns
