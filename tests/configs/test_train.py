"""`configs/train.py`: every method on every dataset, and the errors of its argument."""

import pytest
from absl import flags
from ml_collections import config_flags

from uaps_jax import config as config_lib
from uaps_jax import methods as method_lib
from uaps_jax.config import ConfigError
from uaps_jax.configs import neu_uaps, train
from uaps_jax.configs.parts import datasets, methods, networks, variants
from uaps_jax.configs.parts.views import photometric, view

NO_SQUARES = ("ksdd2", "crackforest")


@pytest.mark.parametrize("variant", ["", *variants.VARIANTS])
@pytest.mark.parametrize("method", methods.METHODS)
@pytest.mark.parametrize("dataset", datasets.DATASETS)
def test_every_method_is_trained_on_every_dataset(dataset, method, variant):
    config = train.get_config(f"dataset={dataset},method={method},network=unet,variant={variant}")
    assert config.method.name == method
    if method == "dct" and dataset in NO_SQUARES:
        with pytest.raises(ConfigError, match=r"data\.width = .*need square views"):
            config_lib.validate(config)
        config.data.height = config.data.width = 64
    config_lib.validate(config)
    assert (
        config.train.steps == variants.VARIANTS.get(variant, {"steps": config.train.steps})["steps"]
    )


def test_the_tables_hold_every_method_and_every_network():
    assert methods.METHODS.keys() == method_lib.METHODS.keys()
    assert {build().name for build in networks.NETWORKS.values()} == config_lib.NETWORKS.keys()


def test_without_a_method_it_is_the_recommended_one():
    method = train.get_config("dataset=folder,variant=small").method
    assert (method.name, method.threshold_rule) == ("fixmatch", "classwise")
    assert method.labeled_paste == "always"


def test_the_recommended_ramp_takes_the_same_share_of_every_run():
    for variant in ("", "small", "medium"):
        config = train.build(dataset="folder", variant=variant)
        ramp = config.method.ramp_interval * config.method.ramp_length
        assert ramp == round(methods.RECOMMENDED_RAMP * config.train.steps)
    assert train.build(dataset="folder", method="fixmatch", variant="small").method.ramp_length == 0


def test_parts_may_come_in_any_order_and_be_left_out():
    short = config_lib.flatten(train.get_config("method=cps,dataset=dagm"))
    full = "network=unet,dataset=dagm,variant=,method=cps"
    assert config_lib.flatten(train.get_config(full)) == short
    from_python = train.build(dataset="dagm", method="cps")
    assert config_lib.flatten(from_python) == short


def test_a_shortened_run_of_published_settings_is_the_combination():
    combined = train.get_config("dataset=neu,method=uaps,variant=small")
    assert config_lib.flatten(combined) == config_lib.flatten(neu_uaps.get_config("small"))


WRONG = {
    "": ("dataset: is missing, one of neu, dagm",),
    "folder": ("part = 'folder': must be one of dataset, method", "like dataset=folder"),
    "dataset=foldr,method=uaps": ("dataset = 'foldr'", "did you mean folder?"),
    "datset=folder,method=caps": (
        "part = 'datset'",
        "did you mean dataset?",
        "method = 'caps'",
        "dataset: is missing",
    ),
    "dataset=neu,method=uaps,network=vit": ("network = 'vit': must be one of unet",),
    "dataset=neu,method=uaps,variant=smal": ("variant = 'smal'", "did you mean small?"),
    "dataset=neu,dataset=dagm,method=uaps": ("dataset: is given 2 times",),
}


@pytest.mark.parametrize("argument", WRONG)
def test_all_problems_of_an_argument_are_reported_at_once(argument):
    with pytest.raises(ConfigError) as error:
        train.get_config(argument)
    for expected in WRONG[argument]:
        assert expected in str(error.value)


def test_a_variant_that_does_not_exist_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="variant = 'smal'.*did you mean small?"):
        neu_uaps.get_config("smal")


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")
def test_flags_override_the_parts():
    values = flags.FlagValues()
    argv = [
        "run.py",
        f"--config={train.__file__}:dataset=folder,method=mean_teacher,variant=small",
        "--config.network.widths=(4,8)",
        "--config.network.dtype=bfloat16",
        "--config.method.ema_decay=0.9",
        "--config.data.manual_dir=mine",
    ]
    holder = config_flags.DEFINE_config_file("config", flag_values=values, sys_argv=argv)
    values(argv)
    config = holder.value
    assert (config.network.widths, config.network.dtype) == ((4, 8), "bfloat16")
    assert (config.method.ema_decay, config.data.manual_dir) == (0.9, "mine")


def test_every_setting_of_a_part_can_be_given_by_name():
    assert photometric(jitter_limits=(0.5, 0.5, 0.5, 0.25)).jitter_limits == (0.5, 0.5, 0.5, 0.25)
    assert view(blur=0.1, noise_variance=(1.0, 2.0)).noise_variance == (1.0, 2.0)
    assert networks.unet(widths=(4, 8), dropout=(0.0, 0.0)).widths == (4, 8)
    config = datasets.folder(manual_dir="mine", height=512, labeled_ratio=0.5)
    assert (config.data.manual_dir, config.data.height, config.data.width) == ("mine", 512, 256)
    config = methods.mean_teacher(config, delay=7, ramp_length=9)
    assert (config.method.delay, config.method.ramp_interval, config.method.ramp_length) == (
        7,
        1,
        9,
    )


@pytest.mark.parametrize(
    "build",
    [
        lambda: photometric(blurr=0.1),
        lambda: view(hflips=0.1),
        lambda: networks.unet(width=(4, 8)),
        lambda: datasets.neu_seg(heights=1),
        lambda: methods.uaps(datasets.neu_seg(), weight=1.0),
    ],
    ids=["photometric", "view", "network", "dataset", "method"],
)
def test_a_name_that_no_setting_has_is_refused(build):
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        build()


def test_ramps_that_are_not_named_take_the_usual_ratio_of_the_steps():
    config = methods.uaps(datasets.dagm())
    assert config.method.ramp_interval * config.method.ramp_length == round(
        0.34 * config.train.steps
    )
