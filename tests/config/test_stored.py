"""Stored settings of every version are read by this one."""

import re

import pytest

from uaps_jax import config as config_lib
from uaps_jax.config import ConfigError, stored
from uaps_jax.configs import folder_uaps, neu_uaps, neu_ucc, train


def test_an_unknown_family_is_answered_with_those_there_are():
    flat = config_lib.flatten(neu_uaps.get_config()) | {"network.name": "vit"}
    with pytest.raises(ConfigError, match=r"network\.name = 'vit': must be one of unet"):
        config_lib.from_flat(flat)


def test_a_file_of_another_version_is_refused_with_its_keys():
    flat = config_lib.flatten(neu_uaps.get_config())
    del flat["train.steps"]
    flat["train.epochs"] = 3
    with pytest.raises(
        ConfigError, match=r"missing keys: train\.steps; unknown keys: train\.epochs"
    ):
        config_lib.from_flat(flat)


def test_settings_that_were_stored_without_a_version_are_read():
    flat = config_lib.flatten(neu_uaps.get_config())
    config = config_lib.from_stored({k: v for k, v in flat.items() if k != "train.accumulate"})
    assert config.train.accumulate == 1
    flat["train.accumulate"] = 2
    assert config_lib.from_stored(flat).train.accumulate == 2


def test_settings_of_a_model_are_read_as_those_of_a_network():
    config = neu_uaps.get_config()
    config.network.auxiliary = 2
    flat = config_lib.flatten(config)
    del flat["network.name"]
    old = {key.replace("network.", "model."): value for key, value in flat.items()}
    again = config_lib.from_stored(old | {"model.execution": "unrolled"})
    assert config_lib.flatten(again) == config_lib.flatten(config)


@pytest.mark.parametrize("published", [neu_uaps, neu_ucc])
def test_views_that_were_stored_before_there_were_crops_and_cutout_are_read(published):
    config = published.get_config()
    later = re.compile(
        r"^(?!data).+\.(grayscale|gaussian_\w+|cutout\w*|scale\w*|crop_\w+|\w+_random_order)$"
    )
    flat = config_lib.flatten(config)
    older = {key: value for key, value in flat.items() if not later.search(key)}
    assert len(flat) - len(older) == (24 if published is neu_uaps else 24 + 8)
    assert config_lib.from_stored(older) == config


@pytest.mark.parametrize("method", ["ppl", "supervised", "self_training"])
def test_the_student_of_ppl_had_cross_entropy(method):
    config = train.build(dataset="neu", method=method)
    if method == "ppl":
        config.method.loss = "cross_entropy"
    assert config_lib.from_stored(config_lib.to_stored(config)) == config
    older = config_lib.to_stored(config) | {"config_version": 10}
    if method == "ppl":
        del older["method.loss"]
    assert config_lib.from_stored(older) == config


def test_settings_of_a_later_version_are_refused():
    later = config_lib.to_stored(neu_uaps.get_config()) | {"config_version": stored.VERSION + 1}
    with pytest.raises(ConfigError, match=f"version {stored.VERSION + 1}.*up to {stored.VERSION}"):
        config_lib.from_stored(later)


def test_a_migration_renames_keys_and_sections_removes_and_adds():
    migration = stored.Migration(
        renamed={"a.": "b.", "c.old": "c.new"}, removed=("a.gone",), added={"c.more": 1, "b.x": 2}
    )
    before = {"a.x": 5, "a.y.z": 6, "a.gone": 7, "c.old": 8, "c.older": 9}
    assert migration.apply(before) == {
        "b.x": 5,
        "b.y.z": 6,
        "c.new": 8,
        "c.older": 9,
        "c.more": 1,
    }


def test_a_stored_grouped_run_keeps_the_draw_that_it_had():
    config = folder_uaps.get_config()
    for protocol, drawn in (("grouped", "grouped_v1"), ("native", "native")):
        config.data.protocol = protocol
        older = config_lib.flatten(config)
        del older["data.labeled_group_copies"]
        read = config_lib.from_stored(older)
        assert read.data.protocol == drawn
        # Of no meaning for them, and as the configuration has it: the run can be resumed.
        config.data.protocol = drawn
        assert read == config
        assert config_lib.from_stored(config_lib.to_stored(config)) == config
    config.data.protocol, config.data.labeled_group_copies = "grouped", "exclude"
    assert config_lib.from_stored(config_lib.to_stored(config)) == config
