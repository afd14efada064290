"""Cross-entropy and Dice against numpy, and their limiting cases."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import oracles
from tests.compare import relative_difference
from uaps_jax.labels import IGNORE
from uaps_jax.losses import segmentation

cross_entropy = jax.jit(segmentation.cross_entropy)
dice = jax.jit(segmentation.dice)
LOSSES = {
    "cross_entropy": (cross_entropy, oracles.cross_entropy),
    "dice": (dice, oracles.dice_loss),
    "both": (jax.jit(segmentation.cross_entropy_and_dice), oracles.supervised_loss),
}
every_loss = pytest.mark.parametrize(("ours", "oracle"), LOSSES.values(), ids=LOSSES)


@functools.cache
def slopes(loss):
    return jax.jit(jax.value_and_grad(loss))


def batch(classes=4, ignored=0.2, scale=3.0, seed=0):
    rng = np.random.default_rng(seed)
    logits = (scale * rng.normal(size=(2, 5, 4, classes))).astype(np.float32)
    labels = rng.integers(classes, size=(2, 5, 4)).astype(np.int32)
    labels[rng.uniform(size=labels.shape) < ignored] = IGNORE
    return logits, labels


@pytest.mark.parametrize("classes", [2, 4, 7])
@pytest.mark.parametrize("ignored", [0.0, 0.3])
@every_loss
def test_values_equal_the_oracle(ours, oracle, classes, ignored):
    logits, labels = batch(classes, ignored)
    assert (labels == IGNORE).any() == (ignored > 0)
    assert relative_difference(ours(logits, labels), oracle(logits, labels)) <= 1e-5


@every_loss
def test_gradients_equal_central_differences_of_the_oracle(ours, oracle):
    logits, labels = batch()
    gradient = slopes(ours)(logits, labels)[1].reshape(-1)
    indices = np.random.default_rng(1).permutation(logits.size)[:60]
    expected = oracles.numeric_gradient(lambda x: oracle(x, labels), logits, indices)
    assert relative_difference(gradient[indices], expected) <= 1e-4


def test_pixel_cross_entropy_is_zero_where_nothing_is_labeled():
    logits, labels = batch()
    result = jax.jit(segmentation.pixel_cross_entropy)(logits, labels)
    assert_array_equal(result[labels == IGNORE], 0)
    assert result[labels != IGNORE].min() > 0
    expected = oracles.cross_entropy_map(logits, labels)
    assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


@every_loss
def test_ignored_pixels_have_no_gradient(ours, oracle):
    logits, labels = batch()
    gradient = np.asarray(slopes(ours)(logits, labels)[1])
    assert_array_equal(gradient[labels == IGNORE], 0)
    assert (np.abs(gradient[labels != IGNORE]).max(-1) > 0).all()


@every_loss
def test_a_batch_without_labels_has_a_finite_value_and_no_gradient(ours, oracle):
    logits, labels = batch()
    labels = np.full_like(labels, IGNORE)
    value, gradient = slopes(ours)(logits, labels)
    assert value == pytest.approx(oracle(logits, labels))
    assert_array_equal(gradient, 0)


@pytest.mark.parametrize("right", [True, False])
@every_loss
def test_extreme_logits_have_finite_values_and_gradients(ours, oracle, right):
    _, labels = batch()
    shown = labels if right else (labels + 1) % 4
    logits = np.where(np.arange(4) == shown[..., None], 1e4, -1e4).astype(np.float32)
    value, gradient = slopes(ours)(logits, labels)
    assert value == pytest.approx(oracle(logits, labels), rel=1e-5, abs=1e-6)
    assert np.isfinite(gradient).all()


def test_cross_entropy_of_extreme_logits_is_their_gap():
    logits = np.array([[[[1e4, -1e4]]]], np.float32)
    labels = np.array([[[1]]])
    value, gradient = slopes(cross_entropy)(logits, labels)
    assert value == pytest.approx(2e4)
    assert_allclose(gradient[0, 0, 0], [1, -1])


def test_an_absent_class_adds_a_constant_to_dice_and_no_gradient():
    # The published behaviour: its intersection is 0 whatever is predicted.
    logits, labels = batch(classes=3, ignored=0)
    labels[labels == 2] = 0
    value = dice(logits, labels)
    assert relative_difference(value, oracles.dice_loss(logits, labels)) <= 1e-5
    # Moving all weight between absent classes alone changes nothing.
    wide = np.concatenate([logits, np.full_like(logits[..., :1], -1e4)], axis=-1)
    swapped = wide[..., [0, 1, 3, 2]]
    assert dice(wide, labels) == pytest.approx(dice(swapped, labels))
    # With class 2 alone predicted and absent, no class can overlap: the loss is 1, and flat.
    sure = np.where(np.arange(3) == 2, 1e4, -1e4) * np.ones_like(logits)
    one, gradient = slopes(dice)(sure.astype(np.float32), labels)
    assert one == pytest.approx(1)
    assert_array_equal(gradient, 0)


def test_dice_of_a_perfect_prediction_counts_absent_classes_against_it():
    labels = np.array([[[0, 1], [1, 0]]])
    logits = (np.eye(4)[labels] * 1e4).astype(np.float32)
    assert dice(logits, labels) == pytest.approx(1 - 2 / 4, abs=1e-6)


def test_dice_sums_over_the_batch_not_over_images():
    logits, labels = batch(ignored=0)
    whole = dice(logits, labels)
    single = np.mean([dice(logits[i : i + 1], labels[i : i + 1]) for i in range(2)])
    assert abs(whole - single) > 1e-4


@pytest.mark.parametrize("ignored", [0.0, 0.3])
def test_weighted_dice_equals_the_oracle(ignored):
    logits, labels = batch(ignored=ignored)
    weight = np.random.default_rng(2).uniform(size=labels.shape).astype(np.float32)
    result = dice(logits, labels, weight)
    expected = oracles._dice(oracles.softmax(logits), labels, weight, IGNORE)
    assert relative_difference(result, expected) <= 1e-5
    assert abs(result - dice(logits, labels)) > 1e-4


def test_weight_one_is_no_weight_and_weight_zero_is_ignoring():
    logits, labels = batch(ignored=0)
    weight = np.ones(labels.shape, np.float32)
    plain = dice(logits, labels)
    assert dice(logits, labels, weight) == pytest.approx(plain)
    weight[:, 0] = 0
    masked = np.where(weight == 0, IGNORE, labels)
    assert dice(logits, labels, weight) == pytest.approx(dice(logits, masked))


def weights_of(labels, seed=2):
    """Weights of 0..2, a third of them 0."""
    random = np.random.default_rng(seed)
    weight = random.uniform(0, 2, size=labels.shape) * (random.uniform(size=labels.shape) > 0.3)
    return weight.astype(np.float32)


WEIGHTED = {
    "cross_entropy": (segmentation.cross_entropy, oracles.weighted_cross_entropy),
    "both": (segmentation.cross_entropy_and_dice, oracles.weighted_supervised_loss),
}
every_weighted = pytest.mark.parametrize(("ours", "oracle"), WEIGHTED.values(), ids=WEIGHTED)
every_normalizer = pytest.mark.parametrize("normalizer", ["labeled", "weight"])


@every_normalizer
@every_weighted
def test_weighted_losses_and_their_gradients_equal_the_oracle(ours, oracle, normalizer):
    logits, labels = batch(ignored=0.3)
    weight = weights_of(labels)
    loss = jax.jit(jax.value_and_grad(ours), static_argnums=3)
    value, gradient = loss(logits, labels, weight, normalizer)
    assert relative_difference(value, oracle(logits, labels, weight, normalizer)) <= 1e-5
    indices = np.random.default_rng(1).permutation(logits.size)[:60]
    expected = oracles.numeric_gradient(
        lambda x: oracle(x, labels, weight, normalizer), logits, indices
    )
    assert relative_difference(gradient.reshape(-1)[indices], expected) <= 1e-4
    assert_array_equal(np.asarray(gradient)[(labels == IGNORE) | (weight == 0)], 0)


@every_weighted
def test_the_weights_themselves_have_a_gradient(ours, oracle):
    logits, labels = batch(ignored=0.3)
    weight = weights_of(labels) + 0.1
    indices = np.random.default_rng(1).permutation(weight.size)[:20]
    for normalizer in ("labeled", "weight"):
        gradient = jax.jit(jax.grad(ours, 2), static_argnums=3)(logits, labels, weight, normalizer)
        expected = oracles.numeric_gradient(
            lambda w, normalizer=normalizer: oracle(logits, labels, w, normalizer), weight, indices
        )
        assert relative_difference(gradient.reshape(-1)[indices], expected) <= 1e-4


@every_normalizer
@every_weighted
def test_equal_weights_are_no_weights(ours, oracle, normalizer):
    logits, labels = batch(ignored=0.3)
    weight = np.ones(labels.shape, np.float32)
    plain = float(ours(logits, labels))
    assert float(ours(logits, labels, weight, normalizer)) == pytest.approx(plain, rel=1e-6)
    double = float(ours(logits, labels, 2 * weight, normalizer))
    assert (double == pytest.approx(plain, rel=1e-5)) == (normalizer == "weight")


def test_weights_of_kept_pixels_divide_by_all_labeled_ones_or_by_the_kept():
    labels = np.array([[[0, 0, 1, IGNORE]]])
    logits = np.zeros((1, 1, 4, 2), np.float32)  # log 2 at each pixel
    kept = np.array([[[1.0, 0.0, 0.0, 1.0]]])
    by_all = segmentation.cross_entropy(logits, labels, kept)
    assert float(by_all) == pytest.approx(np.log(2) / 3)
    by_kept = segmentation.cross_entropy(logits, labels, kept, "weight")
    assert float(by_kept) == pytest.approx(np.log(2))


@pytest.mark.parametrize("ignored", [0.0, 0.3])
def test_class_weights_equal_the_oracle(ignored):
    logits, labels = batch(ignored=ignored)
    class_weights = np.array([0.25, 1.0, 4.0, 0.0], np.float32)
    loss = jax.jit(jax.value_and_grad(segmentation.class_weighted_cross_entropy))
    value, gradient = loss(logits, labels, class_weights)
    expected = oracles.class_weighted_cross_entropy(logits, labels, class_weights)
    assert relative_difference(value, expected) <= 1e-5
    indices = np.random.default_rng(1).permutation(logits.size)[:60]
    expected = oracles.numeric_gradient(
        lambda x: oracles.class_weighted_cross_entropy(x, labels, class_weights), logits, indices
    )
    assert relative_difference(gradient.reshape(-1)[indices], expected) <= 1e-4


def test_weighted_mean_is_zero_where_all_weights_are_zero():
    values = jnp.array([1.0, 2.0, 6.0])
    assert segmentation.weighted_mean(values, jnp.array([1.0, 0.0, 4.0])) == 5
    assert segmentation.weighted_mean(values, jnp.zeros(3)) == 0


def test_masked_mean_is_zero_where_the_mask_is_empty():
    values = jnp.array([1.0, 2.0, 6.0])
    assert segmentation.masked_mean(values, jnp.array([True, False, True])) == 3.5
    assert segmentation.masked_mean(values, jnp.zeros(3, bool)) == 0


@every_loss
def test_labels_may_be_uint8(ours, oracle):
    logits, labels = batch()
    assert ours(logits, labels.astype(np.uint8)) == pytest.approx(float(ours(logits, labels)))
