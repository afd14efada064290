"""Depthwise convolutions against XLA's grouped convolution, values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from numpy.testing import assert_allclose

from uaps_jax.models import depthwise


def grouped(x, w, stride, padding):
    return lax.conv_general_dilated(
        x,
        w[:, :, None],
        (stride, stride),
        (padding, padding),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
        precision="highest",
    )


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [(3, 1, (1, 1)), (3, 2, (0, 1)), (5, 1, (2, 2)), (5, 2, (1, 2)), (3, 2, (1, 1))],
)
def test_values_and_gradients(kernel, stride, padding):
    rng = np.random.default_rng(kernel + stride)
    x = jnp.asarray(rng.normal(size=(2, 6, 8, 4)), jnp.float32)
    w = jnp.asarray(rng.normal(size=(kernel, kernel, 4)), jnp.float32)

    def evaluated(function):
        def loss(x, w):
            y = function(x, w, stride=stride, padding=padding)
            return jnp.sin(y).sum(), y

        return jax.value_and_grad(loss, (0, 1), has_aux=True)(x, w)

    for ours, theirs in zip(
        jax.tree.leaves(evaluated(depthwise.convolve)),
        jax.tree.leaves(evaluated(grouped)),
        strict=True,
    ):
        assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
