"""`result.json`: as it is written, and as earlier versions wrote it."""

import json
import math

import pytest

from tests import tiny
from uaps_jax import config as config_lib
from uaps_jax.training import results


@pytest.fixture
def written(tmp_path):
    config = config_lib.validate(tiny.config("supervised"))
    scores = {"latest": {"image_iou": 1.5, "step": 6}, "best": {"image_iou": math.nan, "step": 3}}
    others = {"ensemble": {"latest": {"image_iou": 2.5}, "best": {"image_iou": math.inf}}}
    results.write(tmp_path, config, tiny.record(), 7, scores, others, scores, ["step 3, low"])
    return tmp_path, config, results.digest(tiny.record())


def test_a_result_is_read_as_it_was_written(written):
    folder, config, data = written
    result = results.read(folder, config, data)
    assert result["parameters"] == 7
    assert result["scores"]["latest"] == {"image_iou": 1.5, "step": 6}
    assert result["scores"]["best"] == {"image_iou": None, "step": 3}
    assert result["other_predictors"] == {
        "ensemble": {"latest": {"image_iou": 2.5}, "best": {"image_iou": None}}
    }
    assert result["val_scores"] == result["scores"]
    assert result["warnings"] == ["step 3, low"]


def test_a_result_of_other_settings_or_data_is_not_used(written):
    folder, config, data = written
    assert results.read(folder, config, "other") is None
    assert results.read(folder, tiny.config("supervised", steps=9), data) is None
    assert results.read(folder / "elsewhere", config, data) is None


@pytest.mark.parametrize(
    ("protocol", "is_read"), [("native", True), ("grouped_v1", True), ("grouped", False)]
)
def test_the_choice_about_copies_is_compared_where_it_has_an_effect(tmp_path, protocol, is_read):
    config = tiny.config("supervised")
    config.data.protocol, config.data.labeled_group_copies = protocol, "unlabeled"
    scores = {"latest": {"image_iou": 1.0}, "best": {"image_iou": 2.0}}
    results.write(tmp_path, config, tiny.record(), 7, scores, {}, scores, [])
    config.data.labeled_group_copies = "exclude"
    result = results.read(tmp_path, config, results.digest(tiny.record()))
    assert (result is not None) == is_read


def test_a_folder_result_of_settings_without_a_choice_about_copies_is_read(tmp_path):
    config = tiny.config("supervised")
    config.data.name, config.data.labeled_group_copies = "folder", "exclude"
    scores = {"latest": {"image_iou": 1.0}, "best": {"image_iou": 2.0}}
    results.write(tmp_path, config, tiny.record(), 7, scores, {}, scores, [])
    file = tmp_path / results.FILE
    old = json.loads(file.read_text())
    old["config"]["config_version"] = 2
    del old["config"]["data.labeled_group_copies"]
    file.write_text(json.dumps(old))
    assert results.read(tmp_path, config, results.digest(tiny.record())) is not None


def test_a_result_of_before_had_other_predictors_at_the_best_checkpoint_among_its_scores(written):
    folder, config, data = written
    file = folder / results.FILE
    old = json.loads(file.read_text())
    old["scores"]["ensemble"] = old.pop("other_predictors")["ensemble"]["latest"]
    file.write_text(json.dumps(old))
    result = results.read(folder, config, data)
    assert result["scores"].keys() == {"latest", "best"}
    assert result["other_predictors"] == {"ensemble": {"best": {"image_iou": 2.5}}}
