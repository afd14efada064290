"""Every loss stays finite, and so does its gradient, for all masks and logits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uaps_jax.labels import IGNORE
from uaps_jax.losses import aleatoric, consistency, energy, ohem, segmentation, uncertainty

HEADS, BATCH = 3, 2
CLASSES, SIZES = (2, 4), ((1, 1), (4, 4))


def labels_of(kind, shape, classes, random):
    """Masks of crops."""
    ids = random.integers(0, classes, shape)
    return {
        "all ignored": np.full(shape, IGNORE),
        "background alone": np.zeros(shape, int),
        "one defect alone": np.full(shape, classes - 1),
        "a class absent": np.where(ids == classes - 1, 0, ids),
        "mostly ignored": np.where(random.uniform(size=shape) < 0.9, IGNORE, ids),
        "everything": ids,
    }[kind].astype(np.int32)


KINDS = (
    "all ignored",
    "background alone",
    "one defect alone",
    "a class absent",
    "mostly ignored",
    "everything",
)


def confidence(logits):
    """Weights that are often all 0: the excess of the largest probability over 0.95."""
    return jax.nn.relu(jax.nn.softmax(logits).max(-1) - 0.95)


LOSSES = {
    "cross_entropy": lambda heads, labels: segmentation.cross_entropy(heads[0], labels),
    "dice": lambda heads, labels: segmentation.dice(heads[0], labels),
    "cross_entropy_and_dice": lambda heads, labels: segmentation.cross_entropy_and_dice(
        heads[0], labels
    ),
    "weighted by labels": lambda heads, labels: segmentation.cross_entropy_and_dice(
        heads[0], labels, confidence(heads[1])
    ),
    "weighted by weights": lambda heads, labels: segmentation.cross_entropy_and_dice(
        heads[0], labels, confidence(heads[1]), "weight"
    ),
    "class weights": lambda heads, labels: segmentation.class_weighted_cross_entropy(
        heads[0], labels, jnp.arange(heads.shape[-1], dtype=heads.dtype)
    ),
    "ohem": lambda heads, labels: ohem.ohem_cross_entropy(
        heads[0], labels, threshold=0.7, min_kept=5
    ),
    "masked_mean": lambda heads, labels: segmentation.masked_mean(
        heads[0].sum(-1), labels != IGNORE
    ),
    "kl_to_mean": lambda heads, labels: uncertainty.kl_to_mean(heads).mean(),
    "kl_to_fixed_mean": lambda heads, labels: uncertainty.kl_to_mean(
        heads, detach_mean=True
    ).mean(),
    "kl": lambda heads, labels: uncertainty.kl(heads[0], heads[1]).mean(),
    "mean_squared": lambda heads, labels: consistency.mean_squared(
        jax.nn.softmax(heads[0]), jax.nn.softmax(heads[1])
    ),
    "free_energy": lambda heads, labels: energy.free_energy(heads[0]).mean(),
    "pixel_energy": lambda heads, labels: energy.pixel_energy(heads[0], labels).mean(),
}


COMPILED = {name: jax.jit(jax.value_and_grad(loss)) for name, loss in LOSSES.items()}


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    classes=st.sampled_from(CLASSES),
    size=st.sampled_from(SIZES),
    dtype=st.sampled_from(("float32", "bfloat16")),
    scale=st.sampled_from((0.0, 1e-20, 1.0, 30.0, 1e3, 1e6)),
    one_sided=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_value_and_gradient_are_finite(name, kind, classes, size, dtype, scale, one_sided, seed):
    random = np.random.default_rng(seed)
    heads = scale * random.standard_normal((HEADS, BATCH, *size, classes))
    if one_sided:  # all heads are sure of the same
        heads = np.broadcast_to(heads[:1], heads.shape)
    labels = labels_of(kind, (BATCH, *size), classes, random)
    value, gradient = COMPILED[name](jnp.asarray(heads, dtype), labels)
    assert np.isfinite(np.asarray(value, np.float32))
    assert np.isfinite(np.asarray(gradient, np.float32)).all()
    if kind == "all ignored" and name in ("cross_entropy", "masked_mean", "class weights", "ohem"):
        assert value == 0
        assert not np.asarray(gradient, np.float32).any()


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    scale=st.sampled_from((0.0, 1.0, 30.0, 1e3)),
    log_variance=st.sampled_from((-50.0, -1.0, 0.0, 1.0, 3.0)),
    seed=st.integers(0, 2**32 - 1),
)
@pytest.mark.parametrize("form", ["released", "repaired"])
def test_aleatoric_losses_are_finite(form, kind, scale, log_variance, seed):
    random = np.random.default_rng(seed)
    logits = jnp.asarray(scale * random.standard_normal((BATCH, 4, 4, 3)), jnp.float32)
    spread = np.full((BATCH, 4, 4), log_variance, np.float32)
    spread = np.exp(spread) if form == "released" else spread
    noise = random.standard_normal((4, BATCH, 4, 4, 3)).astype(np.float32)
    labels = labels_of(kind, (BATCH, 4, 4), 3, random)
    value, gradients = ALEATORIC[form](logits, spread, labels, noise)
    assert np.isfinite(value)
    assert all(np.isfinite(np.asarray(g)).all() for g in gradients)


ALEATORIC = {
    form: jax.jit(jax.value_and_grad(getattr(aleatoric, form), (0, 1)))
    for form in ("released", "repaired")
}


@settings(max_examples=40, deadline=None)
@given(
    inside=st.sampled_from((0.0, 0.3, 1.0)),
    outside=st.sampled_from((0.0, 0.3, 1.0)),
    scale=st.sampled_from((0.0, 1.0, 30.0, 1e3)),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_energy_hinge_is_finite_for_empty_and_full_sets(inside, outside, scale, seed):
    random = np.random.default_rng(seed)
    logits = jnp.asarray(scale * random.standard_normal((BATCH, 4, 4, 3)), jnp.float32)
    sets = [random.uniform(size=(BATCH, 4, 4)) < share for share in (inside, outside)]
    value, gradient = HINGE(logits, *sets)
    assert np.isfinite(value)
    assert np.isfinite(np.asarray(gradient)).all()
    if not any(map(np.any, sets)):
        assert value == 0


HINGE = jax.jit(
    jax.value_and_grad(lambda *arrays: energy.energy_hinge(*arrays, margins=(-5.0, -1.0)))
)
