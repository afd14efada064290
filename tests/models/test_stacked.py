"""Functions over a stacked axis: the same numbers as a loop, and no grouped convolution."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from numpy.testing import assert_allclose

from uaps_jax.models import stacked

ENTRIES = 4
CASES = {"both": (0, 0), "kernel": (None, 0), "input": (0, None)}


def conv(x, w):
    return lax.conv_general_dilated(
        x, w, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def operands(axes):
    rng = np.random.default_rng(0)
    return tuple(
        rng.normal(size=(*((ENTRIES,) if axis == 0 else ()), *shape)).astype(np.float32)
        for axis, shape in zip(axes, ((2, 5, 4, 3), (3, 3, 3, 2)), strict=True)
    )


def loop(x, w, axes):
    results = [
        conv(x[k] if axes[0] == 0 else x, w[k] if axes[1] == 0 else w) for k in range(ENTRIES)
    ]
    return jnp.stack(results)


def gradients(function, x, w):
    """Of a weighted sum of the outputs, so that every output element matters differently."""
    shape = jax.eval_shape(function, x, w).shape
    weight = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    return jax.grad(lambda x, w: (function(x, w) * weight).sum(), argnums=(0, 1))(x, w)


@pytest.mark.parametrize("axes", CASES.values(), ids=CASES)
def test_equals_a_loop_with_its_gradients(axes):
    x, w = operands(axes)
    ours = jax.vmap(stacked.looped(conv), axes)
    of_loop = functools.partial(loop, axes=axes)
    assert_allclose(ours(x, w), of_loop(x, w), rtol=1e-6)
    for result, expected in zip(gradients(ours, x, w), gradients(of_loop, x, w), strict=True):
        assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_trees_keys_and_closed_over_arrays():
    x, w = operands((None, 0))

    def decode(params, keys, x):
        noise = jax.random.normal(keys, x.shape)
        return {"y": conv(x + noise, params["w"])}, params["bias"].sum()

    def run(map_over):
        def outer(x, w):
            keys = jax.random.split(jax.random.key(0), ENTRIES)
            params = {"w": w, "bias": w[:, 0, 0]}
            outputs, sums = map_over(lambda p, k: decode(p, k, x))(params, keys)
            return outputs["y"] + sums[:, None, None, None, None]

        return outer

    ours, plain = run(lambda f: jax.vmap(stacked.looped(f))), run(jax.vmap)
    assert_allclose(jax.jit(ours)(x, w), plain(x, w), rtol=1e-5, atol=1e-5)
    for result, expected in zip(gradients(ours, x, w), gradients(plain, x, w), strict=True):
        assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


def compiled_text(function):
    x, w = operands((0, 0))
    program = jax.jit(functools.partial(gradients, jax.vmap(function)))
    return program.lower(x, w).compile().as_text()


def test_compiled_forward_and_backward_hold_no_grouped_convolution():
    text = compiled_text(stacked.looped(conv))
    assert "convolution" in text
    assert "feature_group_count" not in text
    assert "batch_group_count" not in text
    # What is avoided, by the same search: the vmapped plain convolution is grouped.
    assert f"feature_group_count={ENTRIES}" in compiled_text(conv)
