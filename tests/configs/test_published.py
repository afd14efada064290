"""The published settings are those of the papers, and every file is valid, shortened too."""

import importlib
import json

import pytest

from tests import published
from uaps_jax import config as config_lib
from uaps_jax.configs import neu_supervised, neu_uaps

FILES = published.TRAININGS


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("variant", ["", "small", "medium"])
def test_every_configuration_is_valid_and_survives_json(name, variant):
    config = importlib.import_module(f"uaps_jax.configs.{name}").get_config(variant)
    config_lib.validate(config)
    flat = json.loads(config_lib.to_json(config))
    again = config_lib.from_stored(flat)
    assert config_lib.flatten(again) == config_lib.flatten(config)
    assert type(again.method) is type(config.method)
    assert again.network.widths == config.network.widths


def test_there_is_a_configuration_for_every_dataset_of_the_study():
    assert {f"{d}_uaps" for d in ("neu", "dagm", "mtiles", "ksdd2", "synthetic")} <= set(FILES)


# Steps, ramp saturation, learning rate, batch, w1, w2: UAPS, released code, one row a dataset.
PUBLISHED = {
    "neu": (47_141, 16_000, 1e-3, 16, 0.1, 0.1),
    "dagm": (23_171, 12_000, 1e-3, 16, 0.1, 0.1),
    "mtiles": (15_181, 10_000, 2e-3, 16, 0.1, 1.0),
    "ksdd2": (15_181, 6_000, 2e-3, 12, 0.1, 0.1),
}


@pytest.mark.parametrize("dataset", PUBLISHED)
def test_the_papers_settings_are_the_defaults(dataset):
    config = importlib.import_module(f"uaps_jax.configs.{dataset}_uaps").get_config()
    method, train = config.method, config.train
    assert (
        train.steps,
        method.ramp_interval * method.ramp_length,
        config.optimizer.learning_rate,
        train.batch_labeled,
        method.weight_pseudo,
        method.weight_uncertainty,
    ) == PUBLISHED[dataset]
    assert method.ramp_uncertainty == (dataset != "mtiles")
    assert config.optimizer.schedule == "plateau"
    assert config.optimizer.plateau_patience == 50


def test_the_papers_baseline():
    config = neu_supervised.get_config()
    assert (config.train.steps, config.train.eval_every) == (11_980, 20)
    assert (config.optimizer.plateau_patience, config.optimizer.plateau_min_lr) == (40, 1e-7)
    assert config.network.auxiliary == 0


@pytest.mark.parametrize(("variant", "batch", "steps"), [("small", 4, 800), ("medium", 8, 2500)])
def test_shortened_variants(variant, batch, steps):
    config = neu_uaps.get_config(variant)
    assert (config.data.height, config.data.width) == (64, 64)
    assert (config.train.batch_labeled, config.train.batch_unlabeled) == (batch, batch)
    assert config.train.steps == steps
    assert config.optimizer.schedule == "cosine"
    assert config.optimizer.learning_rate == 1e-3
    saturated = config.method.ramp_interval * config.method.ramp_length
    assert abs(saturated - 0.34 * steps) <= 1
