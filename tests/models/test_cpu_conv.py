"""The rearranged convolutions of the CPU: the plain convolution's numbers and gradients."""

import jax
import numpy as np
import pytest
from jax import lax
from numpy.testing import assert_allclose

from uaps_jax.models import cpu_conv

# Few outputs; as many as are put together in twos; a width that does not divide; more outputs than
# inputs; many.
CASES = [(3, 5, 4, 8), (3, 6, 16, 8), (3, 4, 3, 7), (3, 3, 16, 6), (3, 20, 16, 6), (3, 4, 40, 4)]
CASES += [(1, 5, 4, 6)]


def plain(x, w):
    around = w.shape[0] // 2
    return lax.conv_general_dilated(
        x, w, (1, 1), ((around, around),) * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@pytest.mark.parametrize(("size", "inputs", "outputs", "width"), CASES)
def test_equals_the_plain_convolution(size, inputs, outputs, width):
    draw = np.random.default_rng(0).normal
    x = draw(size=(2, 5, width, inputs)).astype(np.float32)
    w = draw(size=(size, size, inputs, outputs)).astype(np.float32)
    g = draw(size=(2, 5, width, outputs)).astype(np.float32)
    y, transposed = jax.vjp(plain, x, w)
    x_gradient, w_gradient = transposed(g)
    for result, expected in (
        (cpu_conv.forward(x, w), y),
        (cpu_conv.input_gradient(w, g), x_gradient),
        (cpu_conv.kernel_gradient(x, w, g), w_gradient),
    ):
        assert result.shape == expected.shape
        assert_allclose(result, expected, rtol=1e-4, atol=1e-5 * abs(expected).max())


def test_a_layer_has_these_gradients():
    draw = np.random.default_rng(0).normal
    x, w = (draw(size=s).astype(np.float32) for s in ((2, 5, 4, 3), (3, 3, 3, 2)))
    g = draw(size=(2, 5, 4, 2)).astype(np.float32)

    def layer(x, w):
        numbers = lax.conv_dimension_numbers(x.shape, w.shape, cpu_conv.DIMENSIONS)
        return cpu_conv.conv_general_dilated(
            x, w, (1, 1), ((1, 1), (1, 1)), dimension_numbers=numbers
        )

    def values(function):
        y, transposed = jax.vjp(function, x, w)
        return y, *transposed(g)

    for result, expected in zip(values(layer), values(plain), strict=True):
        assert_allclose(result, expected, rtol=1e-4, atol=1e-5)
    text = jax.jit(jax.grad(lambda w: (layer(x, w) * g).sum())).lower(w).compile().as_text()
    assert "lhs_dilate" not in text


@pytest.mark.parametrize(
    "change",
    [
        {"kernel": (5, 5, 2, 2)},
        {"kernel": (3, 1, 2, 2)},
        {"strides": (2, 2)},
        {"padding": ((0, 0), (1, 1))},
        {"rhs_dilation": (2, 2)},
        {"groups": 2},
    ],
)
def test_covers_nothing_else(change):
    usual = {
        "kernel": (3, 3, 2, 2),
        "strides": (1, 1),
        "padding": [(1, 1), (1, 1)],
        "lhs_dilation": None,
        "rhs_dilation": (1, 1),
        "groups": 1,
    }
    assert cpu_conv.covers(**usual)
    assert not cpu_conv.covers(**(usual | change))
