"""Types, choices and ranges of single settings, set in code or by flags."""

from pathlib import Path

import pytest
from absl import flags
from ml_collections import config_flags

from uaps_jax import config as config_lib
from uaps_jax.config import ConfigError
from uaps_jax.configs import neu_uaps

PROJECT = Path(__file__).resolve().parents[2]


BAD = {
    "data.width": 0,
    "data.height": 64.5,
    "data.transpose": 1,
    "data.name": 3,
    "data.channels": 2,
    "data.classes": 1,
    "data.std": (0.0, 1.0, 1.0, 1.0),
    "data.protocol": "random",
    "data.labeled_ratio": 0.0,
    "data.labeled_group_copies": "keep",
    "data.split_seed": -1,
    "views.unlabeled.blur": 1.5,
    "views.labeled.contrast_limit": (0.5, 0.0),
    "views.labeled.noise_variance": (-1.0, 2.0),
    "views.labeled.jitter_limits": (0.5, 0.5, 0.5, 0.6),
    "views.labeled.jitter_random_order": 1,
    "views.labeled.grayscale": -0.1,
    "views.labeled.gaussian_blur": 2.0,
    "views.labeled.gaussian_sigma": (0.0, 2.0),
    "views.labeled.cutout": 1.1,
    "views.labeled.cutout_area": (0.2, 1.2),
    "views.labeled.cutout_aspect": (2.0, 0.5),
    "views.labeled.scale": 1.01,
    "views.labeled.scale_range": (1.0, 0.5, 2.0),
    "views.labeled.crop_width": -16,
    "views.unlabeled.crop_height": 100,
    "network.auxiliary": 0,
    "network.widths": (16,),
    "network.perturb_dropout": 1.0,
    "network.noise_limit": -0.1,
    "network.feature_dropout": (0.9, 0.7),
    "network.dtype": "float16",
    "optimizer.learning_rate": 0.0,
    "optimizer.plateau_factor": 1.0,
    "optimizer.plateau_patience": -1,
    "optimizer.beta1": 1.0,
    "optimizer.epsilon": 0.0,
    "optimizer.weight_decay": -1.0,
    "train.steps": 0,
    "train.eval_every": 0,
    "train.seed": 2**32,
    "checkpoint.every": 0,
    "checkpoint.keep_every": -1,
    "checkpoint.keep_at": (99_999_999,),
    "evaluation.batch_size": 0,
    "evaluation.crf.window": 4,
    "evaluation.crf.guide": "rgb",
    "data.rough.kind": "circle",
    "data.rough.scale": (0.0, 1.5),
    "method.mixing": "max",
    "method.rectify": "image",
    "method.energy": "free",
    "method.energy_margins": (1.0, -1.0),
    "method.ramp_length": -1,
    "method.weight_pseudo": float("nan"),
    "method.weight_uncertainty": -0.1,
    "optimizer.poly_power": float("inf"),
    "data.mean": ("a", "b", "c"),
    "views.labeled.brightness_limit": (0.0, 0.1, 0.2),
    "data.fit": None,
    "data.scale": 0.5,  # with "resize"
    "data.resampling": "bicubic",
    "data.crop_scale_range": (0.5, 2.0),  # with "resize"
    "data.defect_share": 1.5,
    "network.dropout": [0.05, 0.1, 0.2, 0.3, 0.5],
}


@pytest.mark.parametrize("key", BAD)
def test_a_bad_value_is_named_with_its_key(key):
    config = neu_uaps.get_config()
    *path, name = key.split(".")
    section = config
    for part in path:
        section = getattr(section, part)
    setattr(section, name, BAD[key])
    with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
        config_lib.validate(config)


def overridden(*arguments):
    """configs/neu_uaps.py with flags, as the command line reads them."""
    values = flags.FlagValues()
    argv = ["run.py", f"--config={PROJECT / 'configs' / 'neu_uaps.py'}", *arguments]
    holder = config_flags.DEFINE_config_file("config", flag_values=values, sys_argv=argv)
    values(argv)
    return holder.value


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")
def test_flags_override_every_kind_of_field():
    config = overridden(
        "--config.optimizer.schedule=poly",
        "--config.method.rectify=pixel",
        "--config.optimizer.learning_rate=1",
        "--config.train.steps=7",
        "--config.views.labeled.contrast_limit=(0.1,0.2)",
        "--noconfig.method.perturb_at_eval",
    )
    config_lib.validate(config)
    assert (config.optimizer.schedule, config.method.rectify) == ("poly", "pixel")
    assert (config.optimizer.learning_rate, config.train.steps) == (1.0, 7)
    assert isinstance(config.optimizer.learning_rate, float)
    assert config.views.labeled.contrast_limit == (0.1, 0.2)
    assert config.method.perturb_at_eval is False


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")
def test_a_flag_that_is_no_choice_is_answered_with_the_choices():
    config = overridden("--config.method.rectify=image", "--config.train.steps=0")
    with pytest.raises(ConfigError) as error:
        config_lib.validate(config)
    assert "method.rectify = 'image': must be one of scalar, pixel, none" in str(error.value)
    assert "train.steps = 0: must be at least 1" in str(error.value)


# Values on either side of the border of each kind of range.
RANGES = {
    "above(0)": (config_lib.above(0), (1e-9,), (0.0, -1.0)),
    "at_least(1)": (config_lib.at_least(1), (1, 2), (0,)),
    "within(0, 2)": (config_lib.within(0, 2), (0, 2), (-1, 3)),
    "below_one()": (config_lib.below_one(), (0.0, 0.99), (1.0, -0.1)),
    "fraction()": (config_lib.fraction(), (0.5,), (0.0, 1.0)),
    "probability()": (config_lib.probability(), (0.0, 1.0), (1.1, -0.1)),
    "low_high()": (config_lib.low_high(), ((-1.0, -1.0), (0.0, 1.0)), ((1.0, 0.0),)),
    "low_high(0)": (config_lib.low_high(0), ((0.0, 1.0),), ((-1.0, 1.0),)),
    "each(above(0))": (config_lib.each(config_lib.above(0)), ((), (1, 2)), ((1, 0),)),
}


@pytest.mark.parametrize("name", RANGES)
def test_ranges_include_what_they_say(name):
    metadata, right, wrong = RANGES[name]
    assert all(metadata["rule"].is_allowed(value) for value in right)
    assert not any(metadata["rule"].is_allowed(value) for value in wrong)


def test_a_whole_number_too_large_for_a_float_is_not_finite():
    config = neu_uaps.get_config()
    config.data.mean = (10**400, 0.0, 0.0)
    with pytest.raises(ConfigError, match=r"data\.mean = .*finite"):
        config_lib.validate(config)
