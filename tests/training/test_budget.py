"""A budget in minutes becomes steps once, with everything that counts steps."""

import pytest

from tests import tiny
from uaps_jax import config as config_lib
from uaps_jax.config import ConfigError
from uaps_jax.training import budget, checkpoints
from uaps_jax.training.budget import Seconds


@pytest.mark.parametrize(
    ("total", "seconds", "evaluations", "expected"),
    [
        (1200, Seconds(0.5, 1.0), 100, (2200, 100)),  # 100 s of 1200 s
        (1200, Seconds(0.5, 30.0), 100, (1920, 8)),  # no more than 240 s
        (10, Seconds(0.1, 30.0), 5, (0, 1)),
        (3, Seconds(1.0, 0.1), 100, (2, 2)),
    ],
)
def test_steps_and_evaluations_fit_into_the_time(total, seconds, evaluations, expected):
    steps, count = budget.steps_within(total, seconds, evaluations)
    assert (steps, count) == expected
    if steps:
        assert steps * seconds.step + count * seconds.evaluation <= total


def test_everything_that_counts_steps_is_scaled():
    config = tiny.plain("uaps", steps=1000)
    config.train.eval_every = config.train.log_every = config.checkpoint.every = 100
    config.checkpoint.keep_at, config.optimizer.warmup_steps = (500, 1000), 40
    planned = budget.planned(config_lib.validate(config), 3000, 150)
    assert (planned.train.steps, planned.train.eval_every, planned.train.log_every) == (
        3000,
        150,
        100,
    )
    assert (planned.checkpoint.every, planned.checkpoint.keep_every) == (300, 0)
    assert planned.checkpoint.keep_at == (1500, 3000)
    assert planned.optimizer.warmup_steps == 120
    assert planned.method.ramp_length == round(type(config.method).ramp_share * 3000)
    same = budget.planned(config_lib.validate(config), 3000, 150)
    assert config_lib.flatten(same) == config_lib.flatten(planned)


def test_a_ramp_that_is_set_keeps_its_share_of_the_steps():
    config = tiny.plain("fixmatch", steps=1000)
    config.method.ramp_interval, config.method.ramp_length = 2, 200
    method = budget.planned(config_lib.validate(config), 3000, 150).method
    assert method.ramp_interval * method.ramp_length == 1200


def test_a_run_is_timed_without_its_compilation_and_keeps_its_steps(tmp_path, monkeypatch):
    config = tiny.plain("supervised", steps=8)
    config.train.minutes = 1.0
    config = config_lib.validate(config)
    pools = tiny.pools()
    seconds = budget.measured(config, pools, tiny.CLASS_NAMES, None)
    assert 0 < seconds.step < 2  # the first one takes seconds
    assert 0 < seconds.evaluation < 2
    monkeypatch.setattr(budget, "measured", lambda *_: Seconds(0.5, 1.0))
    fitted = budget.fitted(config, pools, tiny.CLASS_NAMES, None)
    assert (fitted.train.steps, fitted.train.eval_every) == (116, 58)
    monkeypatch.setattr(checkpoints, "saved_steps", lambda _: [40])
    monkeypatch.setattr(checkpoints, "read_config", lambda *_: fitted)
    again = budget.as_before(tmp_path, config)
    assert config_lib.flatten(again) == config_lib.flatten(fitted)
    other = config_lib.from_flat(config_lib.flatten(config) | {"train.minutes": 2.0})
    assert budget.as_before(tmp_path, other) is other
    monkeypatch.setattr(budget, "measured", lambda *_: Seconds(100.0, 50.0))
    with pytest.raises(ConfigError, match=r"train\.minutes = 1\.0: a step takes 100\.0 s .* 3"):
        budget.fitted(config, pools, tiny.CLASS_NAMES, None)
