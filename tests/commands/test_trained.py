"""Overrides in evaluation: which apply, and which are refused."""

import dataclasses

import pytest

from tests import tiny
from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.commands.request import Request
from uaps_jax.commands.trained import open_run
from uaps_jax.config import ConfigError
from uaps_jax.configs import neu_supervised
from uaps_jax.training import checkpoints, optimizers
from uaps_jax.training import state as state_lib


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    settings = config_lib.validate(tiny.config("supervised"))
    method = methods.build(settings)
    optimizer = optimizers.build(settings.optimizer, method.parameter_groups)
    state = state_lib.create(method, optimizer, settings.optimizer, settings.train.seed)
    variables = method.variables(state.params, state.method_state)
    with checkpoints.manager(folder, settings.checkpoint) as opened:
        checkpoints.save(opened, state, variables, settings, tiny.record(), None)
    return Request(config=None, workdir=folder, checkpoint="latest", input=None), settings


def overridden(request, **values):
    config = neu_supervised.get_config()
    for key, value in values.items():
        config_lib.assign(config, key.replace("__", "."), value)
    names = tuple(key.replace("__", ".") for key in values)
    return dataclasses.replace(request, config=config, overrides=names)


def test_a_configuration_file_by_itself_changes_nothing(run):
    request, settings = run
    flat = config_lib.flatten(settings)
    assert config_lib.flatten(open_run(request, 0).config) == flat
    assert config_lib.flatten(open_run(overridden(request), 0).config) == flat


def test_overrides_say_where_data_are_and_how_to_evaluate(run):
    request, settings = run
    asked = overridden(request, data__data_dir="there", evaluation__batch_size=7, data__classes=0)
    config = open_run(asked, 0).config
    expected = {"data.data_dir": "there", "evaluation.batch_size": 7}
    assert config_lib.flatten(config) == config_lib.flatten(settings) | expected


def test_overrides_that_contradict_the_checkpoint_are_all_named(run):
    request, _ = run
    asked = overridden(request, train__seed=3, data__mean=(0.0, 0.0, 0.0), data__data_dir="there")
    with pytest.raises(ConfigError) as refused:
        open_run(asked, 0)
    assert "train.seed: 0 -> 3" in str(refused.value)
    assert "data.mean: " in str(refused.value)
    assert "data_dir" not in str(refused.value)
    assert "Leave these overrides out" in str(refused.value)


def test_a_setting_that_the_method_of_the_checkpoint_lacks_is_named(run):
    request, _ = run
    with pytest.raises(ConfigError, match="method.weight does not exist .method supervised."):
        open_run(dataclasses.replace(request, overrides=("method.weight",)), 0)
