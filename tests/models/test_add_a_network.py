"""A network in a file of its own: `examples/my_network.py`."""

import dataclasses
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import example_files, tiny
from tests.inference import exports
from uaps_jax import config as config_lib
from uaps_jax import methods, models
from uaps_jax.config import ConfigError
from uaps_jax.data import streams
from uaps_jax.inference import comparison
from uaps_jax.inference.outputs import ExportError
from uaps_jax.training import checkpoints, optimizers, sharding
from uaps_jax.training import state as state_lib
from uaps_jax.training.step import make_train_step, traced_hyperparameters

EXAMPLE = "my_network.py"


@pytest.fixture
def mine(tmp_path):
    yield example_files.imported(EXAMPLE, tmp_path / "my_network.py")
    del sys.modules["my_network"]
    forget()


def forget():
    example_files.forget("network", "plain", models.NETWORKS, config_lib.NETWORKS)


def test_it_is_short():
    assert len(example_files.code(EXAMPLE).splitlines()) < 70


def on(mine, name, fit="resize"):
    settings = tiny.config(name)
    settings.data.fit = fit
    settings.network = mine.PlainConfig.like(settings.network, width=4)
    return config_lib.validate(settings)


def step_and_inputs(config):
    method, shards = methods.build(config), sharding.over_devices()
    optimizer = optimizers.build(config.optimizer, method.parameter_groups)
    state = state_lib.create(method, optimizer, config.optimizer, config.train.seed)
    batch = streams.batch(config, method.streams, tiny.pools().train, 0)
    rest = (batch, jax.random.key(0), traced_hyperparameters(method))
    return make_train_step(method, optimizer, config, shards), (state, *rest)


@pytest.mark.parametrize("name", sorted(methods.METHODS))
def test_every_method_takes_a_step_on_it(mine, name):
    """Traced whole; one of them is compiled and taken below."""
    step, inputs = step_and_inputs(on(mine, name))
    state, metrics = jax.eval_shape(step, *inputs)
    jax.tree.map(lambda a, b: chex.assert_equal_shape([a, b]), state, inputs[0])
    assert metrics["loss"].shape == ()


def test_it_learns(mine):
    step, (state, *rest) = step_and_inputs(on(mine, "supervised"))
    losses = []
    for _ in range(12):
        state, metrics = step(state, *rest)
        losses.append(float(metrics["loss"]))
    assert np.isfinite(losses).all()
    assert min(losses[-3:]) < losses[0]


def test_images_are_multiples_of_its_stride(mine):
    config = mine.get_config("dataset=synthetic,method=cps")
    config.data.height = 30
    with pytest.raises(ConfigError, match="must be a multiple of 4, the stride of the network"):
        config_lib.validate(config)


def test_a_run_remembers_the_file_of_its_network(mine, tmp_path):
    settings = on(mine, "supervised")
    method = methods.build(settings)
    optimizer = optimizers.build(settings.optimizer, method.parameter_groups)
    state = state_lib.create(method, optimizer, settings.optimizer, settings.train.seed)
    variables = method.variables(state.params, state.method_state)
    with checkpoints.manager(tmp_path / "run", settings.checkpoint) as opened:
        checkpoints.save(opened, state, variables, settings, tiny.record(), None)
    forget()
    again = checkpoints.read_config(tmp_path / "run", 0)
    assert config_lib.flatten(again) == config_lib.flatten(settings)
    forget()
    (tmp_path / "my_network.py").unlink()
    with pytest.raises(
        ConfigError, match="which defines the network plain of this run, does not exist"
    ):
        checkpoints.read_config(tmp_path / "run", 0)


@pytest.mark.parametrize("fit", ["resize", "pad"])
def test_its_onnx_file_equals_the_checkpoint(mine, fit):
    settings = on(mine, "uaps", fit)
    method, variables = exports.trained(settings)
    predictor, uncertainty = method.predictor("ensemble"), method.uncertainty
    model = exports.exported(settings, predictor, variables, uncertainty)
    clean = dataclasses.replace(uncertainty, perturb=False)
    images = exports.photographs(2, 16, 24 if fit == "pad" else 16)
    found = comparison.differences(
        exports.run(model), settings, predictor, clean, variables, images
    )
    assert found.probabilities <= 1e-5
    assert found.uncertainty <= 1e-4


def test_an_operation_without_an_onnx_form_is_refused_by_name(mine, monkeypatch):
    settings = on(mine, "supervised")
    method, variables = exports.trained(settings)
    monkeypatch.setattr(mine.nn, "relu", lambda x: jnp.cumsum(x, axis=1))
    text = "network plain: the operation cumsum in Encoder has no ONNX form"
    with pytest.raises(ExportError, match=f"^{text}$"):
        exports.exported(settings, method.predictor(""), variables)
