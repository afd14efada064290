"""The schema: every setting is checked once, all problems are said at once, nothing is hidden."""

import dataclasses
import importlib
import itertools
import json
import re
from pathlib import Path

import pytest
from absl import flags
from ml_collections import config_flags

from configs import folder_uaps, neu_supervised, neu_uaps, neu_ucc
from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.config import ConfigError, stored
from uaps_jax.config.section import settings

PROJECT = Path(__file__).resolve().parents[1]
FILES = sorted(p.stem for p in (PROJECT / "configs").glob("[!_]*_*.py"))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("variant", ["", "small", "medium"])
def test_every_configuration_is_valid_and_survives_json(name, variant):
    config = importlib.import_module(f"configs.{name}").get_config(variant)
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
    config = importlib.import_module(f"configs.{dataset}_uaps").get_config()
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


def test_an_unknown_family_is_answered_with_those_there_are():
    flat = config_lib.flatten(neu_uaps.get_config()) | {"network.name": "vit"}
    with pytest.raises(ConfigError, match=r"network\.name = 'vit': must be one of unet"):
        config_lib.from_flat(flat)


def test_every_method_has_a_section_and_a_builder():
    assert config_lib.METHODS.keys() == methods.METHODS.keys()


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


def test_all_problems_are_reported_together():
    config = neu_uaps.get_config()
    config.data.height = 100
    config.optimizer.schedule = "linear"
    config.train.batch_unlabeled = 3
    config.network.dropout = (0.1,)
    with pytest.raises(ConfigError) as error:
        config_lib.validate(config)
    text = str(error.value)
    for expected in (
        "data.height = 100: must be a multiple of 16, the stride of the network (unet)",
        "optimizer.schedule = 'linear': must be one of plateau, constant, poly, cosine",
        "train.batch_unlabeled = 3",
        "network.dropout = (0.1,): needs 5 rates",
        "views.labeled.rot90 = 0.3: needs square images",
    ):
        assert expected in text


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
    "method.mixing": "max",
    "method.rectify": "image",
    "method.energy": "free",
    "method.energy_margins": (1.0, -1.0),
    "method.ramp_length": 0,
    "method.weight_pseudo": float("nan"),
    "method.weight_uncertainty": -0.1,
    "optimizer.poly_power": float("inf"),
    "data.mean": ("a", "b", "c"),
    "views.labeled.brightness_limit": (0.0, 0.1, 0.2),
    "data.fit": None,
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
    assert all(metadata["rule"].holds(value) for value in right)
    assert not any(metadata["rule"].holds(value) for value in wrong)


def test_no_setting_has_a_default_value():
    for name in FILES:
        for setting in settings(importlib.import_module(f"configs.{name}").get_config()):
            assert setting.field.default is setting.field.default_factory is dataclasses.MISSING


def test_a_validated_configuration_is_frozen():
    config = config_lib.validate(neu_uaps.get_config())
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.optimizer.learning_rate = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.views.labeled.blur = 0.0


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
    found = config_lib.differences(one, other)
    assert config_lib.Difference("method.name", "uaps", "supervised") in found
    gone = config_lib.Difference("method.mixing", "dirichlet", config_lib.Absent.ABSENT)
    assert gone in found
    assert config_lib.describe(gone) == "method.mixing: 'dirichlet' -> (absent)"
    assert not config_lib.differences(one, one)


def test_a_file_of_another_version_is_refused_with_its_keys():
    flat = config_lib.flatten(neu_uaps.get_config())
    del flat["train.steps"]
    flat["train.epochs"] = 3
    with pytest.raises(ConfigError, match=r"missing \['train.steps'\], unknown \['train.epochs'\]"):
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
    later = re.compile(r"\.(grayscale|gaussian_\w+|cutout\w*|scale\w*|crop_\w+|\w+_random_order)$")
    flat = config_lib.flatten(config)
    older = {key: value for key, value in flat.items() if not later.search(key)}
    assert len(flat) - len(older) == (24 if published is neu_uaps else 24 + 8)
    assert config_lib.from_stored(older) == config


def test_streams_of_one_pass_have_views_of_one_size_and_quarter_turns_need_squares():
    config = neu_uaps.get_config()
    config.views.labeled.crop_height = 128
    with pytest.raises(ConfigError) as error:
        config_lib.validate(config)
    for expected in (
        "views.unlabeled.crop_height = 0: uaps runs both streams in one pass, and labeled views "
        "have a height of 128: must be the same",
        "views.labeled.rot90 = 0.3: needs square images, not 128 x 256; set it to 0",
    ):
        assert expected in str(error.value)
    assert "views.unlabeled.rot90" not in str(error.value)
    for view in (config.views.labeled, config.views.unlabeled):
        view.crop_height = view.crop_width = 128
    config_lib.validate(config)


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
    configs = [importlib.import_module(f"configs.{name}").get_config() for name in FILES]
    names = {key.rsplit(".", 1)[-1] for config in configs for key in config_lib.flatten(config)}
    commented = set()
    for before, line in itertools.pairwise(source):
        name = line.strip().partition(":")[0]
        if name in names and ("#" in line or before.strip().startswith("#")):
            commented.add(name)
    missing = names - commented - {"name", "height", "width", "mean", "std"}
    assert not missing


def test_a_whole_number_too_large_for_a_float_is_not_finite():
    config = neu_uaps.get_config()
    config.data.mean = (10**400, 0.0, 0.0)
    with pytest.raises(ConfigError, match=r"data\.mean = .*finite"):
        config_lib.validate(config)
