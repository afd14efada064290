"""The optimizers, their groups of parameters, the plateau schedule and the other schedules."""

import dataclasses
import math
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from numpy.testing import assert_allclose

from tests import oracles
from uaps_jax.configs import neu_uaps
from uaps_jax.training import optimizers, state
from uaps_jax.training import plateau as plateau_lib


def settings(**changes):
    return dataclasses.replace(neu_uaps.get_config().optimizer, **changes)


# Adam


def trajectory(config, start, gradients, lr):
    """Parameters after each gradient, updated as the train step does."""
    optimizer = optimizers.build(config, groups_of)
    update = jax.jit(optimizer.update)
    params, moments = tree_of(start), optimizer.init(tree_of(start))
    result = []
    for gradient in gradients:
        rate = jnp.asarray(lr, jnp.float32)
        updates, moments = update(tree_of(gradient), moments, params, learning_rate=rate)
        params = optax.apply_updates(params, updates)
        result.append(params["encoder"]["kernel"])
    return result


def tree_of(array):
    return {"encoder": {"kernel": array}}


def groups_of(params):
    return {group: jax.tree.map(lambda _, g=group: g, tree) for group, tree in params.items()}


def problem(steps=6, seed=0):
    rng = np.random.default_rng(seed)
    start = rng.normal(size=(3, 2)).astype(np.float32)
    # Scales from tiny to large, so that epsilon and the bias corrections matter.
    scale = 10.0 ** rng.uniform(-9, 1, size=(3, 2))
    return start, (scale * rng.normal(size=(steps, 3, 2))).astype(np.float32)


def test_adam_equals_the_oracle_over_several_steps():
    start, gradients = problem()
    result = trajectory(settings(), start, gradients, 1e-2)
    expected = oracles.adam(start, gradients, 1e-2)
    assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
    assert np.abs(result[-1] - start).max() > 0.01


def test_adam_takes_its_constants_from_the_settings():
    start, gradients = problem()
    config = settings(beta1=0.5, beta2=0.9, epsilon=1e-3)
    result = trajectory(config, start, gradients, 1e-2)
    expected = oracles.adam(start, gradients, 1e-2, b1=0.5, b2=0.9, eps=1e-3)
    assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
    assert np.abs(result[-1] - oracles.adam(start, gradients, 1e-2)[-1]).max() > 1e-4


def test_weight_decay_is_added_to_the_gradient():
    start, gradients = problem()
    decay, lr = 0.1, 1e-2
    result = trajectory(settings(weight_decay=decay), start, gradients, lr)

    # PyTorch's Adam with weight_decay, unrolled: every gradient sees the parameters of its time.
    seen = []
    params = start.astype(np.float64)
    for gradient in gradients:
        seen.append(gradient + decay * params)
        params = oracles.adam(start, seen, lr)[-1]
    assert_allclose(result[-1], params, rtol=1e-5, atol=1e-6)
    # Not decoupled, as AdamW has it.
    decoupled = oracles.adam(start, gradients, lr)[-1] - lr * decay * start
    assert np.abs(result[-1] - decoupled).max() > 1e-3


# SGD and AdamW, by hand in float64


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize(("momentum", "decay"), [(0.9, 0.0), (0.9, 0.1), (0.0, 0.1)])
def test_sgd_equals_pytorchs(momentum, decay, nesterov):
    start, gradients = problem()
    config = settings(name="sgd", momentum=momentum, nesterov=nesterov, weight_decay=decay)
    result = trajectory(config, start, gradients, 1e-2)
    params, buffer = start.astype(np.float64), np.zeros(start.shape)
    for ours, gradient in zip(result, gradients, strict=True):
        g = gradient + decay * params
        buffer = momentum * buffer + g
        params = params - 1e-2 * (g + momentum * buffer if nesterov else buffer)
        assert_allclose(ours, params, rtol=1e-5, atol=1e-6)


def test_adamw_decays_apart_from_the_gradient():
    start, gradients = problem()
    decay, lr = 0.1, 1e-2
    result = trajectory(settings(name="adamw", weight_decay=decay), start, gradients, lr)
    params, steps = start.astype(np.float64), [start, *oracles.adam(start, gradients, lr)]
    for ours, before, after in zip(result, steps, steps[1:], strict=False):
        params = params * (1 - lr * decay) + (after - before)
        assert_allclose(ours, params, rtol=1e-5, atol=1e-6)


# Groups of parameters


def one_update(config, groups=groups_of):
    """The update of a network of ones whose gradient is one."""
    params = {
        "encoder": {"conv": {"kernel": np.ones(2, np.float32), "bias": np.ones(2, np.float32)}},
        "decoders": {"norm": {"scale": np.ones(2, np.float32)}},
        "heads": {"variance": {"kernel": np.ones(2, np.float32)}},
    }
    optimizer = optimizers.build(config, groups)
    gradients = jax.tree.map(np.ones_like, params)
    updates, _ = optimizer.update(
        gradients, optimizer.init(params), params, learning_rate=jnp.float32(0.1)
    )
    flat = jax.tree_util.tree_leaves_with_path(updates)
    return {jax.tree_util.keystr(p, simple=True, separator="/"): float(u[0]) for p, u in flat}


SGD = {"name": "sgd", "momentum": 0.0}
ENCODER = ("encoder/conv/kernel", "encoder/conv/bias")


def test_decoders_and_heads_learn_at_a_multiple_of_the_encoders_rate():
    updates = one_update(settings(**SGD, decoder_multiple=10.0))
    for name, update in updates.items():
        assert update == pytest.approx(-0.1 if name in ENCODER else -1.0), name


def test_biases_and_scales_decay_or_not():
    for all_decay in (True, False):
        config = settings(**SGD, weight_decay=0.5, decay_biases_and_norms=all_decay)
        for name, update in one_update(config).items():
            decays = all_decay or name.endswith("kernel")
            assert update == pytest.approx(-0.15 if decays else -0.1), name


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_frozen_parameters_stay_as_they_are(name):
    def groups(params):
        return groups_of(params) | {"encoder": {"conv": {"kernel": "frozen", "bias": "encoder"}}}

    updates = one_update(settings(name=name, weight_decay=0.5), groups)
    assert [n for n, update in updates.items() if update == 0] == ["encoder/conv/kernel"]


# Plateau


def fresh(config):
    """The state at the start of a run."""
    nothing = types.SimpleNamespace(init=lambda seed: ({}, {}), memory=dict)
    optimizer = optimizers.build(config, groups_of)
    return state.create(nothing, optimizer, config, seed=0).plateau


def rates(config, scores):
    plateau, result = fresh(config), []
    for score in scores:
        plateau = plateau_lib.advance(config, plateau, float(score))
        result.append(float(plateau.learning_rate))
    return result


def expected_rates(config, scores):
    return oracles.plateau(
        [float(score) for score in scores],
        config.learning_rate,
        config.plateau_factor,
        config.plateau_patience,
        config.plateau_threshold,
        config.plateau_min_lr,
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("nan_share", [0.0, 0.2])
def test_plateau_equals_the_oracle_on_random_scores(seed, nan_share):
    rng = np.random.default_rng(seed)
    scores = rng.uniform(1, 100, size=200)
    if seed % 2:  # slowly saturating, as validation scores are
        scores = 90 * (1 - np.exp(-np.arange(200) / 20)) + rng.normal(size=200) + 2
    scores[rng.uniform(size=200) < nan_share] = np.nan
    config = settings(
        plateau_patience=int(rng.integers(0, 8)),
        plateau_factor=rng.uniform(0.2, 0.9),
        plateau_min_lr=1e-5,
    )
    result, expected = rates(config, scores), expected_rates(config, scores)
    assert_allclose(result, expected, rtol=1e-5)
    assert result[-1] < result[0]


def test_plateau_by_hand():
    config = settings(
        learning_rate=1.0, plateau_factor=0.1, plateau_patience=2, plateau_threshold=1e-4
    )
    # 50.004 is no improvement on 50 by 1e-4; the third miss in a row lowers the rate.
    result = rates(config, [50, 50.004, 50, 49, 60, 60, 60, 60.007, 60])
    assert result == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])


@pytest.mark.parametrize("score", [0.0, math.nan])
def test_plateau_counts_scores_that_are_bad_from_the_start_as_pytorch_does(score):
    config = settings(plateau_patience=3)
    assert_allclose(rates(config, [score] * 10), expected_rates(config, [score] * 10), rtol=1e-5)


def test_plateau_lowers_the_rate_again_after_another_patience():
    config = settings(plateau_patience=1, plateau_factor=0.5, learning_rate=1.0)
    assert rates(config, [5] * 6) == pytest.approx([1, 1, 0.5, 0.5, 0.25, 0.25])


def test_plateau_stops_at_the_floor():
    config = settings(
        plateau_patience=0, plateau_factor=0.1, learning_rate=1e-3, plateau_min_lr=2.5e-5
    )
    result = rates(config, [5] * 6)
    assert result == pytest.approx([1e-3, 1e-4, 2.5e-5, 2.5e-5, 2.5e-5, 2.5e-5])


def test_plateau_ignores_changes_below_one_in_a_hundred_million():
    config = settings(
        plateau_patience=0, plateau_factor=0.1, learning_rate=1e-7, plateau_min_lr=0.0
    )
    result, expected = rates(config, [5] * 6), expected_rates(config, [5] * 6)
    assert_allclose(result, expected, rtol=1e-5)
    assert result[-1] == pytest.approx(1e-8)


def test_an_equal_score_is_no_improvement_even_without_a_threshold():
    config = settings(plateau_patience=0, plateau_threshold=0.0, learning_rate=1.0)
    for score in (85.2046, 75.7652, 33.3):
        result = rates(config, [score, score])
        assert result == pytest.approx([1, 0.1])


def test_plateau_state_keeps_its_types():
    config = settings()
    before = fresh(config)
    after = plateau_lib.advance(config, before, 12.5)
    assert jax.tree.map(lambda x: x.dtype, after) == jax.tree.map(lambda x: x.dtype, before)
    assert after.best == 12.5
    assert plateau_lib.advance(config, after, math.nan).best == 12.5


# Schedules

STEPS = 1000
MIDDLE = {"constant": 1.0, "poly": 0.5**0.9, "cosine": 0.5}
END = {"constant": 1.0, "poly": 0.0, "cosine": 0.0}


def rate_at(config, step):
    return optimizers.learning_rate(config, fresh(config), jnp.int32(step), STEPS)


@pytest.mark.parametrize("schedule", MIDDLE)
def test_schedules_start_at_the_given_rate_and_pass_their_middle_and_end(schedule):
    config = settings(schedule=schedule, learning_rate=2e-3)
    assert rate_at(config, 0) == pytest.approx(2e-3)
    assert rate_at(config, STEPS // 2) == pytest.approx(2e-3 * MIDDLE[schedule], rel=1e-5)
    assert rate_at(config, STEPS) == pytest.approx(2e-3 * END[schedule], abs=1e-9)


def test_schedules_at_a_quarter():
    quarter = {
        "poly": 2e-3 * 0.75**2.5,
        "cosine": 2e-3 * (1 + math.cos(math.pi / 4)) / 2,
    }
    for schedule, expected in quarter.items():
        config = settings(schedule=schedule, learning_rate=2e-3, poly_power=2.5)
        assert rate_at(config, STEPS // 4) == pytest.approx(expected, rel=1e-5)


def test_the_plateau_schedule_reads_its_state():
    config = settings(schedule="plateau", learning_rate=2e-3)
    lowered = dataclasses.replace(fresh(config), learning_rate=jnp.float32(7e-5))
    assert optimizers.learning_rate(config, lowered, jnp.int32(3), STEPS) == np.float32(7e-5)


def test_warm_up_rises_in_equal_steps_to_the_schedule():
    config = settings(schedule="constant", learning_rate=2e-3, warmup_steps=4)
    assert [float(rate_at(config, s)) for s in range(6)] == pytest.approx(
        [5e-4, 1e-3, 1.5e-3, 2e-3, 2e-3, 2e-3]
    )
    config = settings(schedule="cosine", learning_rate=2e-3, warmup_steps=4)
    plain = settings(schedule="cosine", learning_rate=2e-3)
    assert rate_at(config, 1) == pytest.approx(float(rate_at(plain, 1)) / 2)
    assert rate_at(config, 9) == rate_at(plain, 9)
