"""The train step on one device and on several, and its use of randomness."""

import dataclasses
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import tiny
from tests.training.test_loop import frozen, run
from uaps_jax import compiler, methods
from uaps_jax.config import ConfigError
from uaps_jax.data import streams
from uaps_jax.methods.base import Write, labeled_stream
from uaps_jax.training import feed, optimizers, sharding
from uaps_jax.training import state as state_lib
from uaps_jax.training import step as step_lib
from uaps_jax.training.step import learn, make_train_step, traced_hyperparameters


def prepared(config, shards):
    method = methods.build(config)
    optimizer = optimizers.build(config.optimizer, method.parameter_groups)
    pools = tiny.pools()
    state = state_lib.create(method, optimizer, config.optimizer, config.train.seed)
    if config.network.dtype == "float64":
        state = jax.tree.map(
            lambda x: x.astype(jnp.float64) if jnp.issubdtype(x.dtype, jnp.floating) else x, state
        )
    arguments = (
        jax.device_put(state, shards.replicated),
        jax.device_put(streams.batch(config, method.streams, pools.train, 0), shards.batch),
        jax.device_put(jax.random.key(3), shards.replicated),
        jax.device_put(traced_hyperparameters(method), shards.replicated),
    )
    return make_train_step(method, optimizer, config, shards), arguments


def one_step(config, devices):
    step, arguments = prepared(config, sharding.over_devices(devices))
    compiled = step.lower(*arguments).compile()
    if devices > 1 and not config.method.mixes_streams:
        check_collectives(compiled.as_text())
    state, measurements = compiled(*arguments)
    return jax.device_get(state), jax.device_get(measurements)


def check_collectives(text):
    """Devices exchange sums alone; methods that mix images also exchange these."""
    assert "all-reduce" in text
    others = re.findall(r"(all-gather|all-to-all|collective-permute|reduce-scatter)[-(]", text)
    assert not others


@pytest.mark.parametrize("method", ["dueb", "fixmatch", "ppl"])  # uaps: test_processes
def test_one_and_four_devices_agree_in_float64(method):
    with jax.enable_x64(True):
        config = (tiny.config if method == "dueb" else tiny.plain)(method)
        if method == "fixmatch":  # boxes of images of other devices, in every image
            config.method.cutmix, config.method.labeled_paste = 1.0, "always"
            config.method.threshold, config.method.threshold_rule = 0.3, "classwise"
        config.network.dtype = "float64"
        (one, one_parts), (four, four_parts) = one_step(config, 1), one_step(config, 4)
    for a, b in zip(jax.tree.leaves(one.params), jax.tree.leaves(four.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9)
    for name in one_parts:  # the views are float32 always
        np.testing.assert_allclose(one_parts[name], four_parts[name], rtol=1e-8, atol=1e-12)


def test_one_and_four_devices_agree_in_float32():
    """Adam's first moment after one step is 0.1 times the gradient."""
    config = tiny.config()
    (one, one_parts), (four, four_parts) = one_step(config, 1), one_step(config, 4)
    np.testing.assert_allclose(one_parts["loss"], four_parts["loss"], rtol=1e-5)
    paths = jax.tree_util.tree_leaves_with_path(one.opt_state[0].mu)
    largest = max(np.abs(leaf).max() for _, leaf in paths)
    for (path, a), b in zip(paths, jax.tree.leaves(four.opt_state[0].mu), strict=True):
        name = jax.tree_util.keystr(path)
        # The gradient of a bias in front of a BatchNorm is 0 but for rounding.
        before_norm = "bias" in name and "conv" in name
        scale = largest if before_norm else np.abs(a).max()
        assert np.abs(a - b).max() <= 1e-5 * scale, name


def test_rows_are_gathered_without_any_collective():
    shards = sharding.over_devices(4)
    method, pools = methods.build(tiny.config()), tiny.pools().train
    rows = streams.batch_rows(tiny.config(), method.streams, pools, 0)
    arguments = (
        jax.device_put(feed.resident(method.streams, pools), shards.replicated),
        jax.device_put(rows, shards.batch),
    )
    show = feed.make_show_function(method.streams, shards)
    text = show.lower(*arguments).compile().as_text()
    assert not re.findall(r"(all-\w+|collective-permute|reduce-scatter)[-(]", text)
    expected = streams.batch(tiny.config(), method.streams, pools, 0)
    jax.tree.map(np.testing.assert_array_equal, show(*arguments), expected)


def test_a_batch_that_does_not_divide_is_refused_with_its_key():
    config = tiny.config()
    config.train.batch_labeled = 6
    with pytest.raises(ConfigError, match=r"train\.batch_labeled = 6.*4 devices"):
        sharding.check_batches(config, [labeled_stream(config)], sharding.over_devices(4))


def test_a_step_is_a_function_of_seed_and_step():
    step, arguments = prepared(tiny.config(), sharding.over_devices(1))
    state, *rest = arguments
    again = jax.tree.map(jnp.copy, state)
    later = jax.tree.map(jnp.copy, state)
    later = dataclasses.replace(later, step=later.step + 1)
    first, same, other = (float(step(s, *rest)[1]["loss"]) for s in (state, again, later))
    assert first == same
    assert first != other


@pytest.mark.parametrize(
    ("method", "name"), [("uaps", "weight_pseudo"), ("mean_teacher", "ema_decay")]
)
def test_another_hyperparameter_or_step_does_not_compile_again(method, name):
    step, arguments = prepared(tiny.plain(method), sharding.over_devices(1))
    state, batch, key, hyperparameters = arguments
    for value in (0.1, 0.7):
        changed = jax.device_put(
            hyperparameters | {name: jnp.float32(value)}, sharding.over_devices(1).replicated
        )
        state, _ = step(state, batch, key, changed)
    assert step._cache_size() == 1


def test_a_run_traces_each_of_its_programs_once(tmp_path, monkeypatch):
    real = compiler.jit_optimized

    def counted(function, **options):
        return real(chex.assert_max_traces(function, n=1), **options)

    chex.clear_trace_counter()
    monkeypatch.setattr(compiler, "jit_optimized", counted)
    config = tiny.plain("uaps")
    with jax.debug_key_reuse(True):
        run(frozen(config), tmp_path / "run")
    twice = compiler.jit_optimized(lambda x: x)
    twice(np.ones(2))
    with pytest.raises(AssertionError, match="traced"):
        twice(np.ones(3))


def test_bfloat16_keeps_parameters_wide_and_the_loss_close():
    config = tiny.plain()
    _, wide = one_step(config, 1)
    config.network.dtype = "bfloat16"
    state, narrow = one_step(config, 4)
    assert {leaf.dtype for leaf in jax.tree.leaves(state.params)} == {np.dtype("float32")}
    np.testing.assert_allclose(narrow["loss"], wide["loss"], rtol=0.02)
    assert narrow["loss"] != wide["loss"]


def test_accumulated_gradients_are_the_mean_over_the_pieces():
    """Supervised, without dropout or views: the step computed by hand."""
    config = tiny.plain("supervised")
    config.train.accumulate = 2
    config.network.dropout = (0.0, 0.0)
    shards = sharding.over_devices(1)
    method = methods.build(config)
    nothing = optimizers.build(config.optimizer, method.parameter_groups)
    _, method_state = method.init(config.train.seed)
    shown = streams.batch(config, method.streams, tiny.pools().train, 0)["labeled"]

    def piece(state, rows):
        batch = {"labeled": {n: jnp.asarray(v[rows]) for n, v in shown.items()}}
        whole = dataclasses.replace(config, train=dataclasses.replace(config.train, accumulate=1))
        start = state_lib.create(method, nothing, config.optimizer, config.train.seed)
        start = dataclasses.replace(start, method_state=state)
        learnt = learn(method, whole, start, batch, jax.random.key(0), {})
        return learnt.loss, learnt.method_state, learnt.gradients

    value_0, state, gradients_0 = piece(method_state, np.array([0, 2]))
    value_1, state, gradients_1 = piece(state, np.array([1, 3]))
    expected = jax.tree.map(lambda a, b: (a + b) / 2, gradients_0, gradients_1)

    step, arguments = prepared(config, shards)
    new_state, measurements = step(*arguments)
    np.testing.assert_allclose(measurements["loss"], (value_0 + value_1) / 2, rtol=1e-5)
    norm = np.sqrt(sum(float((g**2).sum()) for g in jax.tree.leaves(expected)))
    np.testing.assert_allclose(measurements["gradient_norm"], norm, rtol=1e-4)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        new_state.method_state,
        state,
    )


def test_accumulation_on_two_devices_agrees_with_one():
    with jax.enable_x64(True):
        config = tiny.plain("supervised")
        config.network.dtype = "float64"
        config.train.accumulate = 2
        (one, _), (several, _) = one_step(config, 1), one_step(config, 2)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-9), one.params, several.params
    )


def test_pieces_that_do_not_divide_are_refused():
    config = tiny.plain()
    config.train.accumulate = 4
    with pytest.raises(ConfigError, match=r"2 devices in use times train\.accumulate = 4"):
        sharding.check_batches(config, [labeled_stream(config)], sharding.over_devices(2))


def with_memory(method):
    """A method that keeps the labeled masks of its last steps, four rows at a time."""

    def loss(inputs):
        result = method.loss(inputs)
        masks = inputs.views["labeled"]["mask"]
        at = (inputs.step * len(masks) + jnp.arange(len(masks))) % 8
        return result._replace(writes={"masks": Write(at, masks)})

    return dataclasses.replace(
        method,
        loss=loss,
        memory=lambda: {"masks": np.full((8, tiny.SIZE, tiny.SIZE), -1, np.int32)},
    )


@pytest.mark.parametrize("accumulate", [1, 2])
def test_memory_takes_the_rows_of_a_step_and_drops_those_of_one_that_is_not_finite(accumulate):
    config = tiny.plain("supervised")
    config.train.accumulate = accumulate
    shards = sharding.over_devices(1)
    method = with_memory(methods.build(config))
    optimizer = optimizers.build(config.optimizer, method.parameter_groups)
    step = make_train_step(method, optimizer, config, shards)
    state = state_lib.create(method, optimizer, config.optimizer, config.train.seed)
    batch = streams.batch(config, method.streams, tiny.pools().train, 0)
    rest = (batch, jax.random.key(0), traced_hyperparameters(method))
    state, _ = step(sharding.place(state, shards.replicated), *rest)
    written = np.asarray(state.memory["masks"])
    rows = 4 // accumulate  # pieces of one step write to the same rows
    assert (written[:rows] >= 0).all()
    assert (written[rows:] == -1).all()
    broken = jax.tree.map(lambda p: p * np.nan, state.params)
    state, _ = step(dataclasses.replace(state, params=broken), *rest)
    assert bool(state.halted)
    assert int(state.step) == 1
    np.testing.assert_array_equal(state.memory["masks"], written)
    sound = jax.tree.map(lambda p: jnp.zeros_like(p), state.params)
    state, _ = step(dataclasses.replace(state, params=sound), *rest)
    assert bool(state.halted)
    assert int(state.step) == 1
    np.testing.assert_array_equal(state.memory["masks"], written)


def test_rows_that_are_not_finite_and_rows_outside_are_not_written():
    memory = {"bank": jnp.arange(4.0)}
    rows = Write(jnp.array([-1, 2, 4, 9]), jnp.array([10.0, 20.0, 30.0, 40.0]))
    later = Write(jnp.array([3, 2]), jnp.array([50.0, 60.0]))
    after = step_lib._written(memory, [{"bank": rows}], jnp.asarray(True))
    np.testing.assert_array_equal(after["bank"], [0, 1, 20, 3])
    after = step_lib._written(memory, [{"bank": rows}, {"bank": later}], jnp.asarray(True))
    np.testing.assert_array_equal(after["bank"], [0, 1, 60, 50])

    def with_nan(method):
        def loss(inputs):
            at, bad = jnp.zeros(1, jnp.int32), jnp.full((1,), jnp.nan)
            return method.loss(inputs)._replace(writes={"bank": Write(at, bad)})

        return dataclasses.replace(method, loss=loss, memory=lambda: {"bank": np.zeros(2)})

    config, shards = tiny.plain("supervised"), sharding.over_devices(1)
    method = with_nan(methods.build(config))
    optimizer = optimizers.build(config.optimizer, method.parameter_groups)
    state = state_lib.create(method, optimizer, config.optimizer, config.train.seed)
    batch = streams.batch(config, method.streams, tiny.pools().train, 0)
    step = make_train_step(method, optimizer, config, shards)
    state = sharding.place(state, shards.replicated)
    state, metrics = step(state, batch, jax.random.key(0), traced_hyperparameters(method))
    assert bool(state.halted)
    assert np.isfinite(metrics["loss"])
    np.testing.assert_array_equal(state.memory["bank"], [0, 0])
