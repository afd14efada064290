"""Dotted keys: the nearest one for a mistake, and how two configurations differ."""

import pytest

from uaps_jax import config as config_lib
from uaps_jax.config import ConfigError
from uaps_jax.configs import neu_supervised, neu_uaps


@pytest.mark.parametrize(
    ("key", "suggestion"),
    [
        ("optimizer.learnin_rate", "optimizer.learning_rate"),
        ("learning_rate", "optimizer.learning_rate"),
        ("method.wieght_pseudo", "method.weight_pseudo"),
        ("train.step", "train.steps"),
        ("network.width", "network.widths"),
        ("model.auxiliary", "network.auxiliary"),
    ],
)
def test_an_unknown_key_suggests_the_nearest(key, suggestion):
    with pytest.raises(ConfigError, match=rf"Did you mean --config\.{suggestion}\?"):
        config_lib.check_key(neu_uaps.get_config(), key)


def test_a_known_key_passes_and_a_section_is_explained():
    config_lib.check_key(neu_uaps.get_config(), "optimizer.learning_rate")
    with pytest.raises(ConfigError, match="is a section"):
        config_lib.check_key(neu_uaps.get_config(), "optimizer")


def test_a_setting_of_another_method_does_not_exist():
    with pytest.raises(ConfigError, match="does not exist .method supervised, network unet"):
        config_lib.check_key(neu_supervised.get_config(), "method.weight_pseudo")


def test_differences_name_both_values():
    one = config_lib.flatten(neu_uaps.get_config())
    other = config_lib.flatten(neu_supervised.get_config())
    result = config_lib.differences(one, other)
    assert config_lib.Difference("method.name", "uaps", "supervised") in result
    gone = config_lib.Difference("method.mixing", "dirichlet", config_lib.Absent.ABSENT)
    assert gone in result
    assert config_lib.describe(gone) == "method.mixing: 'dirichlet' -> (absent)"
    assert not config_lib.differences(one, one)
