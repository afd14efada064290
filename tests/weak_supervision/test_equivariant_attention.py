"""Losses on activation maps against numpy, and where their gradients go."""

import jax
import numpy as np

from tests import weak_oracles
from uaps_jax.weak_supervision import equivariant_attention as attention


def maps(seed, classes=3):
    random = np.random.default_rng(seed)
    foreground = random.uniform(size=(2, 5, 4, classes)).astype(np.float32)
    return np.asarray(attention.with_background(foreground))


def test_the_background_is_what_the_classes_leave():
    seen = maps(0)
    np.testing.assert_allclose(seen[..., 0], 1 - seen[..., 1:].max(-1), rtol=1e-6)
    assert seen.shape == (2, 5, 4, 4)


def test_image_labels_have_the_loss_of_pytorch():
    # torch.nn.functional.multilabel_soft_margin_loss of these two images, worked by hand.
    logits, tags = np.array([[0.0, 2.0], [-1.0, 3.0]]), np.array([[1, 0], [0, 1]])
    softplus = lambda x: np.log1p(np.exp(x))  # noqa: E731
    expected = (softplus(-0.0) + softplus(2) + softplus(-1) + softplus(-3)) / 4
    np.testing.assert_allclose(attention.multilabel_soft_margin(logits, tags), expected, rtol=1e-6)


def test_correlated_maps_equal_the_oracle():
    features = np.random.default_rng(3).normal(size=(2, 5, 4, 6)).astype(np.float32)
    features[0, 0, 0] = 0
    actual = attention.pixel_correlation(maps(1), features)
    expected = weak_oracles.pixel_correlation(maps(1), features)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)
    slope = jax.grad(lambda x: attention.pixel_correlation(maps(1), x).sum())(features)
    assert np.isfinite(slope).all()
    assert (slope != 0).any()


def test_regularization_equals_the_oracle():
    a, b, c, d = (maps(seed) for seed in range(4))
    expected = np.abs(a[..., 1:] - b[..., 1:]).mean()
    np.testing.assert_allclose(attention.equivariant_regularization(a, b), expected, rtol=1e-6)
    expected = weak_oracles.cross_regularization(a, b, c, d)
    value, slopes = jax.value_and_grad(attention.cross_regularization, (0, 1, 2, 3))(a, b, c, d)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    assert (slopes[0] == 0).all()
    assert (slopes[1] == 0).all()
    assert (slopes[2] != 0).mean() > 0.1
    assert (slopes[3] != 0).mean() > 0.1


def test_low_activations_equal_the_oracle():
    seen = maps(5) - 0.6
    value, slope = jax.value_and_grad(attention.low_activation_loss)(seen)
    np.testing.assert_allclose(value, weak_oracles.low_activation(seen), rtol=1e-5)
    assert value > 0
    assert (slope[..., 0] == 0).all()  # an image without a class may be all background
    assert (slope[..., 1:] > 0).any()
