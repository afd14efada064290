"""The configuration as a whole: all problems at once, then frozen, every setting explained."""

import dataclasses
import importlib
import itertools
from pathlib import Path

import pytest

from tests import published
from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.config import ConfigError
from uaps_jax.config.section import settings
from uaps_jax.configs import neu_uaps, neu_ucc

PROJECT = Path(__file__).resolve().parents[2]
FILES = published.TRAININGS


def test_every_method_has_a_section_and_a_builder():
    assert config_lib.METHODS.keys() == methods.METHODS.keys()


def test_all_problems_are_reported_together():
    config = neu_uaps.get_config()
    config.data.height = 100
    config.optimizer.schedule = "linear"
    config.network.dropout = (0.1,)
    with pytest.raises(ConfigError) as error:
        config_lib.validate(config)
    text = str(error.value)
    for expected in (
        "data.height = 100: must be a multiple of 16, the stride of the network (unet)",
        "optimizer.schedule = 'linear': must be one of plateau, constant, poly, cosine",
        "network.dropout = (0.1,): needs 5 rates",
        "views.labeled.rot90 = 0.3: needs square images",
    ):
        assert expected in text


def test_no_setting_has_a_default_value():
    for name in FILES:
        for setting in settings(importlib.import_module(f"uaps_jax.configs.{name}").get_config()):
            assert setting.field.default is setting.field.default_factory is dataclasses.MISSING


def test_a_validated_configuration_is_frozen():
    config = config_lib.validate(neu_uaps.get_config())
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.optimizer.learning_rate = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.views.labeled.blur = 0.0


def test_ucc_mixes_views_of_one_size_and_quarter_turns_need_squares():
    config = neu_ucc.get_config()
    config.views.labeled.rot90 = 0.3
    config.views.labeled.crop_height = 128
    with pytest.raises(ConfigError) as error:
        config_lib.validate(config)
    for expected in (
        "views.unlabeled.crop_height = 0: ucc mixes images of both streams, so unlabeled views "
        "must have the height of labeled ones, 128",
        "views.labeled.rot90 = 0.3: needs square images, not 128 x 256; set it to 0",
    ):
        assert expected in str(error.value)
    assert "views.unlabeled.rot90" not in str(error.value)
    for view in (config.views.labeled, config.views.unlabeled):
        view.crop_height = view.crop_width = 128
    config_lib.validate(config)


def test_classes_are_checked_against_the_dataset():
    config = neu_uaps.get_config()
    same = config_lib.with_classes(config, ("background", "a", "b", "c"))
    assert config_lib.flatten(same) == config_lib.flatten(config)
    with pytest.raises(ConfigError, match=r"data\.classes = 4: neu_seg has 2 classes"):
        config_lib.with_classes(config, ("background", "defect"))
    config.data.classes = 0
    assert config_lib.with_classes(config, ("background", "defect")).data.classes == 2


def test_every_setting_has_a_comment():
    files = [
        file
        for folder in ("config", "methods", "models")
        for file in (PROJECT / "uaps_jax" / folder).glob("*.py")
    ]
    source = [line for file in files for line in file.read_text().splitlines()]
    configs = [importlib.import_module(f"uaps_jax.configs.{name}").get_config() for name in FILES]
    names = {key.rsplit(".", 1)[-1] for config in configs for key in config_lib.flatten(config)}
    commented = set()
    for before, line in itertools.pairwise(source):
        name = line.strip().partition(":")[0]
        if name in names and ("#" in line or before.strip().startswith("#")):
            commented.add(name)
    missing = names - commented - {"name", "height", "width", "mean", "std"}
    assert not missing
