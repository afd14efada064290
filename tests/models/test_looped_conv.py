"""The convolution whose vmap is a loop: the same numbers, and no grouped convolution."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from numpy.testing import assert_allclose

from uaps_jax.models.looped_conv import looped_conv

STACKED = 4
WINDOW = {
    "window_strides": (1, 1),
    "padding": ((1, 1), (1, 1)),
    "dimension_numbers": lax.conv_dimension_numbers(
        (1, 1, 1, 1), (1, 1, 1, 1), ("NHWC", "HWIO", "NHWC")
    ),
}
CASES = {"both": (0, 0), "kernel": (None, 0), "input": (0, None)}

looped = functools.partial(looped_conv, **WINDOW)
plain = functools.partial(lax.conv_general_dilated, **WINDOW)


def operands(axes, sizes=(STACKED,)):
    rng = np.random.default_rng(0)
    shapes = (2, 5, 4, 3), (3, 3, 3, 2)
    return tuple(
        rng.normal(size=(*(sizes if axis == 0 else ()), *shape)).astype(np.float32)
        for axis, shape in zip(axes, shapes, strict=True)
    )


def loop(x, w, axes):
    results = [
        plain(x[k] if axes[0] == 0 else x, w[k] if axes[1] == 0 else w) for k in range(STACKED)
    ]
    return jnp.stack(results)


def gradients(function, x, w):
    """Of a weighted sum of the outputs, so that every output element matters differently."""
    shape = jax.eval_shape(function, x, w).shape
    weight = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    return jax.grad(lambda x, w: (function(x, w) * weight).sum(), argnums=(0, 1))(x, w)


def test_without_vmap_it_is_the_plain_convolution():
    x, w = operands((None, None))
    assert_allclose(looped(x, w), plain(x, w), rtol=1e-6)
    for ours, theirs in zip(gradients(looped, x, w), gradients(plain, x, w), strict=True):
        assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("axes", CASES.values(), ids=CASES)
def test_vmap_equals_a_loop_and_the_vmap_of_the_plain_convolution(axes):
    x, w = operands(axes)
    ours = jax.vmap(looped, axes)(x, w)
    assert ours.shape == (STACKED, 2, 5, 4, 2)
    assert_allclose(ours, loop(x, w, axes), rtol=1e-6)
    assert_allclose(ours, jax.vmap(plain, axes)(x, w), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("axes", CASES.values(), ids=CASES)
def test_both_gradients_of_vmap_equal_those_of_a_loop_and_of_the_plain_vmap(axes):
    x, w = operands(axes)
    ours = gradients(jax.vmap(looped, axes), x, w)
    of_loop = gradients(functools.partial(loop, axes=axes), x, w)
    of_plain = gradients(jax.vmap(plain, axes), x, w)
    for result, expected, also in zip(ours, of_loop, of_plain, strict=True):
        assert_allclose(result, expected, rtol=1e-5, atol=1e-5)
        assert_allclose(result, also, rtol=1e-4, atol=1e-4)


def test_vmap_of_the_gradient_equals_a_loop_of_gradients():
    x, w = operands((0, 0))
    result = jax.vmap(functools.partial(gradients, looped))(x, w)
    for k in range(STACKED):
        for ours, theirs in zip(result, gradients(plain, x[k], w[k]), strict=True):
            assert_allclose(ours[k], theirs, rtol=1e-5, atol=1e-5)


def test_nested_vmap_equals_two_loops():
    x, w = operands((0, 0), sizes=(2, 3))
    ours = jax.vmap(jax.vmap(looped))(x, w)
    expected = [[plain(x[i, j], w[i, j]) for j in range(3)] for i in range(2)]
    assert_allclose(ours, expected, rtol=1e-6)
    mixed = jax.vmap(jax.vmap(looped, (0, None)), (0, 0))(x, w[:, 0])
    expected = [[plain(x[i, j], w[i, 0]) for j in range(3)] for i in range(2)]
    assert_allclose(mixed, expected, rtol=1e-6)


def compiled_text(function):
    x, w = operands((0, 0))
    program = jax.jit(functools.partial(gradients, jax.vmap(function)))
    return program.lower(x, w).compile().as_text()


def test_compiled_forward_and_backward_hold_no_grouped_convolution():
    text = compiled_text(looped)
    assert "convolution" in text
    assert "feature_group_count" not in text
    assert "batch_group_count" not in text
    # What is avoided, by the same search: the vmapped plain convolution is grouped.
    grouped = compiled_text(plain)
    assert f"feature_group_count={STACKED}" in grouped
