"""The layers against numpy, and their PyTorch conventions by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import oracles
from uaps_jax.models import layers, pooling, resize

CHANNELS = 3


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def norm_variables(seed=1):
    rng = np.random.default_rng(seed)
    draw = {
        "scale": rng.uniform(0.5, 2.0, CHANNELS),
        "bias": rng.normal(size=CHANNELS),
        "mean": rng.normal(size=CHANNELS),
        "var": rng.uniform(0.5, 3.0, CHANNELS),
    }
    draw = {name: value.astype(np.float32) for name, value in draw.items()}
    return {
        "params": {name: draw[name] for name in ("scale", "bias")},
        "batch_stats": {name: draw[name] for name in ("mean", "var")},
    }


def apply_train(variables, x, **options):
    y, updates = layers.BatchNorm().apply(
        jax.tree.map(jnp.array, variables), x, train=True, mutable=["batch_stats"], **options
    )
    return y, updates["batch_stats"]


def oracle_train(variables, stats, x):
    params = variables["params"]
    return oracles.batch_norm_train(x, stats[0], stats[1], params["scale"], params["bias"])


def test_batch_norm_in_training_uses_batch_statistics_and_stores_the_unbiased_variance():
    # Six values a channel: the unbiased variance is a fifth larger than the biased one.
    variables, x = norm_variables(), random(1, 2, 3, CHANNELS) * 4 + 2
    y, stats = apply_train(variables, x)
    before = variables["batch_stats"]
    expected, mean, var = oracle_train(variables, (before["mean"], before["var"]), x)
    assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    assert_allclose(stats["mean"], mean, rtol=1e-5)
    assert_allclose(stats["var"], var, rtol=1e-5)


def test_batch_norm_in_evaluation_uses_running_statistics_and_leaves_them_alone():
    variables, x = norm_variables(), random(2, 3, 3, CHANNELS) * 4 + 2
    y, updates = layers.BatchNorm().apply(variables, x, train=False, mutable=["batch_stats"])
    stats, params = variables["batch_stats"], variables["params"]
    expected = oracles.batch_norm_eval(
        x, stats["mean"], stats["var"], params["scale"], params["bias"]
    )
    assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    for name, value in updates["batch_stats"].items():
        assert_array_equal(value, stats[name])


def test_batch_norm_of_two_parts_equals_two_passes_labeled_first():
    variables = norm_variables()
    labeled = random(2, 3, 2, CHANNELS, seed=2) * 2 + 1
    unlabeled = random(2, 3, 2, CHANNELS, seed=3) * 5 - 4
    both = np.stack([labeled, unlabeled], axis=1).reshape(4, 3, 2, CHANNELS)
    y, stats = apply_train(variables, both, parts=2)

    before = variables["batch_stats"]
    first, mean, var = oracle_train(variables, (before["mean"], before["var"]), labeled)
    second, mean, var = oracle_train(variables, (mean, var), unlabeled)
    assert_allclose(y[0::2], first, rtol=1e-5, atol=1e-5)
    assert_allclose(y[1::2], second, rtol=1e-5, atol=1e-5)
    assert_allclose(stats["mean"], mean, rtol=1e-5)
    assert_allclose(stats["var"], var, rtol=1e-5)

    # The order matters: the second group's share in the running statistics is the larger one.
    _, other_mean, _ = oracle_train(variables, (before["mean"], before["var"]), unlabeled)
    _, other_mean, _ = oracle_train(variables, (other_mean, before["var"]), labeled)
    assert not np.allclose(stats["mean"], other_mean, rtol=1e-2)


def test_batch_norm_of_one_part_mixes_what_two_parts_keep_apart():
    variables, x = norm_variables(), random(4, 2, 2, CHANNELS)
    x[1::2] += 10
    one, _ = apply_train(variables, x)
    two, _ = apply_train(variables, x, parts=2)
    assert np.abs(one - two).max() > 1


def test_running_statistics_given_as_numpy_arrays_are_not_written_to():
    variables = norm_variables()
    x = random(2, 2, 2, CHANNELS) + 5
    layers.BatchNorm().apply(variables, x, train=True, mutable=["batch_stats"])
    expected = norm_variables()["batch_stats"]
    for name, value in variables["batch_stats"].items():
        assert_array_equal(value, expected[name])


def test_running_statistics_carry_no_gradient():
    variables, x = norm_variables(), random(1, 2, 2, CHANNELS)

    def running(x):
        return sum(leaf.sum() for leaf in jax.tree.leaves(apply_train(variables, x)[1]))

    def normalised(x):
        return jnp.square(apply_train(variables, x)[0]).sum()

    assert_array_equal(jax.grad(running)(x), np.zeros_like(x))
    assert np.abs(jax.grad(normalised)(x)).max() > 1e-6


def test_batch_norm_gradient_flows_through_the_batch_statistics():
    variables, x = norm_variables(), random(1, 2, 2, CHANNELS)
    weight = random(1, 2, 2, CHANNELS, seed=5)
    gradient = jax.grad(lambda x: (apply_train(variables, x)[0] * weight).sum())(x)

    def loss(x):
        params, stats = variables["params"], variables["batch_stats"]
        y, _, _ = oracles.batch_norm_train(
            x, stats["mean"], stats["var"], params["scale"], params["bias"]
        )
        return (y * weight).sum()

    expected = oracles.numeric_gradient(loss, x, range(x.size))
    assert_allclose(gradient.reshape(-1), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("parts", [1, 2])
def test_batch_norm_gradients_equal_numeric_ones(parts):
    variables, x = norm_variables(), random(2 * parts, 2, 3, CHANNELS)
    weight = random(*x.shape, seed=5)

    def loss(x, scale, bias):
        params = {"scale": scale, "bias": bias}
        y, _ = layers.BatchNorm().apply(
            variables | {"params": params}, x, train=True, parts=parts, mutable=["batch_stats"]
        )
        return (y * weight).sum()

    params = variables["params"]
    result = jax.grad(loss, argnums=(0, 1, 2))(x, params["scale"], params["bias"])
    stats = variables["batch_stats"]

    def by_hand(x, scale, bias):
        losses = [
            oracles.batch_norm_train(x[g::parts], stats["mean"], stats["var"], scale, bias)[0]
            * weight[g::parts]
            for g in range(parts)
        ]
        return sum(loss.sum() for loss in losses)

    values = [np.asarray(v, np.float64) for v in (x, params["scale"], params["bias"])]
    for place, gradient in enumerate(result):

        def one(v, place=place):
            return by_hand(*(v if p == place else value for p, value in enumerate(values)))

        expected = oracles.numeric_gradient(one, values[place], range(values[place].size))
        assert_allclose(gradient.reshape(-1), expected, rtol=1e-3, atol=1e-4)


def test_leaky_relu_and_its_gradient():
    x = jnp.array([-2.0, -0.0, 0.0, 3.0])
    assert_allclose(layers.leaky_relu(x), [-0.02, 0, 0, 3])
    assert_allclose(jax.grad(lambda x: layers.leaky_relu(x).sum())(x), [0.01, 1, 1, 1])


def test_batch_norm_keeps_statistics_in_float32_under_bfloat16():
    variables, x = norm_variables(), random(2, 4, 4, CHANNELS) + 100
    y, updates = layers.BatchNorm(jnp.bfloat16).apply(
        jax.tree.map(jnp.array, variables),
        jnp.asarray(x, jnp.bfloat16),
        train=True,
        mutable=["batch_stats"],
    )
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(updates)} == {jnp.dtype("float32")}
    wide = np.asarray(jnp.asarray(x, jnp.bfloat16), np.float64)
    before = variables["batch_stats"]
    _, mean, _ = oracle_train(variables, (before["mean"], before["var"]), wide)
    assert_allclose(updates["batch_stats"]["mean"], mean, rtol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(2, 2), (4, 3), (3, 5), (1, 2)])
def test_upsample_equals_the_oracle(height, width):
    x = random(2, height, width, CHANNELS)
    y = resize.upsample(x)
    assert y.shape == (2, 2 * height, 2 * width, CHANNELS)
    assert_allclose(y, oracles.upsample_align_corners_x2(x), rtol=1e-5, atol=1e-6)


def test_upsample_of_two_pixels_puts_the_new_ones_at_thirds():
    column = np.array([0.0, 3.0], np.float32).reshape(1, 2, 1, 1)
    assert_allclose(resize.upsample(column)[0, :, 0, 0], [0, 1, 2, 3], atol=1e-6)
    row = column.swapaxes(1, 2)
    assert_allclose(resize.upsample(row)[0, 0, :, 0], [0, 1, 2, 3], atol=1e-6)


def test_upsample_in_bfloat16_keeps_a_constant_and_rounds_once():
    flat = jnp.full((1, 7, 5, 1), 3.0, jnp.bfloat16)
    assert_array_equal(resize.upsample(flat), jnp.full((1, 14, 10, 1), 3.0, jnp.bfloat16))
    x = jnp.asarray(random(1, 4, 3, 2), jnp.bfloat16)
    result = resize.upsample(x)
    assert result.dtype == jnp.bfloat16
    exact = oracles.upsample_align_corners_x2(np.asarray(x, np.float64))
    assert_allclose(np.asarray(result, np.float64), exact, rtol=2**-8, atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 5, 16])
def test_upsample_keeps_a_constant_and_stays_within_its_neighbours(size):
    flat = np.full((1, size, size, 1), 3.0, np.float32)
    assert_array_equal(resize.upsample(flat), np.full((1, 2 * size, 2 * size, 1), 3.0))
    x = random(1, size, size, 1)
    result = resize.upsample(x)
    assert result.min() >= x.min() - 1e-6
    assert result.max() <= x.max() + 1e-6


@pytest.mark.parametrize(("height", "width"), [(4, 6), (5, 3)])
def test_max_pool_equals_the_oracle(height, width):
    x = random(2, height, width, CHANNELS)
    assert_array_equal(pooling.max_pool_2x2(x), oracles.max_pool2(x))


def test_max_pool_gives_the_gradient_to_the_first_of_equal_values():
    windows = np.array([[1, 1, 0, 1], [0, 2, 2, 2], [0, 0, 3, 3], [0, 0, 0, 4], [5, 5, 5, 5]])
    x = jnp.asarray(windows.reshape(5, 2, 2, 1), jnp.float32)
    gradient = jax.grad(lambda x: pooling.max_pool_2x2(x).sum())(x)
    assert gradient.reshape(5, 4).argmax(1).tolist() == [0, 1, 2, 3, 0]
    assert_array_equal(gradient.reshape(5, 4).sum(1), np.ones(5))


@pytest.mark.parametrize("position", range(4))
def test_max_pool_does_not_hide_a_nan(position):
    x = jnp.zeros(4).at[position].set(jnp.nan).reshape(1, 2, 2, 1)
    assert jnp.isnan(pooling.max_pool_2x2(x)).all()


def test_leaky_relu_has_slope_one_hundredth_below_zero():
    x = np.array([-2.0, -1e-3, 0.0, 3.0], np.float32)
    assert_allclose(layers.leaky_relu(x), [-0.02, -1e-5, 0.0, 3.0], rtol=1e-6)
    assert_allclose(layers.leaky_relu(x), oracles.leaky_relu(x), rtol=1e-6)


@pytest.mark.parametrize(("size", "oracle"), [(3, oracles.conv3x3), (1, oracles.conv1x1)])
def test_conv_equals_the_oracle(size, oracle):
    x, kernel, bias = random(2, 4, 5, 3), random(size, size, 3, 2, seed=1), random(2, seed=2)
    module = layers.conv(2, size, None, "any")
    y = module.apply({"params": {"kernel": kernel, "bias": bias}}, x)
    assert_allclose(y, oracle(x, kernel, bias), rtol=1e-5, atol=1e-5)
