"""The README's "Add a network" section, followed exactly."""

import sys

import jax
import pytest

from tests import readme, tiny
from uaps_jax import config as config_lib
from uaps_jax import methods, models, outside
from uaps_jax.config import ConfigError
from uaps_jax.inference import export
from uaps_jax.training import checkpoints, optimizers
from uaps_jax.training import state as state_lib

SECTION = "Add a network"


@pytest.fixture
def mine(tmp_path):
    yield readme.imported(SECTION, tmp_path / "my_network.py")
    del sys.modules["my_network"]
    forget()


def forget():
    """As in a new process, which has not seen the file."""
    for table in (models.NETWORKS, config_lib.NETWORKS):
        table.pop("plain", None)
    outside.FILES.pop(("network", "plain"), None)


def test_it_is_short():
    assert len(readme.code(SECTION).splitlines()) < 60


def test_every_method_has_a_configuration_on_it(mine):
    for name in methods.METHODS:
        config = mine.get_config(f"dataset=synthetic,method={name}")
        config.data.classes = 5
        method = methods.build(config_lib.validate(config))
        params, _ = jax.eval_shape(lambda m=method: m.init(0))
        assert "conv_0" in params["encoder"]
    config = mine.get_config()
    config.data.height = 30
    with pytest.raises(ConfigError, match="must be a multiple of 4, the stride of the network"):
        config_lib.validate(config)


def test_a_run_remembers_the_file_of_its_network(mine, tmp_path):
    settings = tiny.config("supervised", steps=1)
    settings.network = mine.PlainConfig.like(settings.network, width=4)
    settings = config_lib.validate(settings)
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


def test_it_has_no_onnx_form(mine):
    settings = tiny.config("supervised")
    settings.network = mine.PlainConfig.like(settings.network, width=4)
    predictor = methods.build(settings).predictor("")
    with pytest.raises(export.ExportError, match=r"network plain .* unet"):
        export.to_onnx(settings, predictor, {}, tiny.CLASS_NAMES, {})
