"""The small variants of the recipes."""

import pytest

from uaps_jax.config import ConfigError, validate
from uaps_jax.configs import folder_ppl, folder_stpp, mtiles_ppl, mtiles_urn
from uaps_jax.configs.parts import datasets, small_runs
from uaps_jax.models import encoders


@pytest.mark.parametrize(
    ("small", "fit", "resampling", "size"),
    [
        (small_runs.USUAL, "resize", "area", (64, 96)),
        (small_runs.CRACKS, "crop", "nearest", (64, 64)),
    ],
)
def test_a_small_run_has_its_network_and_its_size(small, fit, resampling, size):
    config = small_runs.apply(datasets.crackforest(), "small", small)
    assert config.network.widths == small.widths
    assert config.network.dropout == (0,) * len(small.widths)
    assert (config.optimizer.learning_rate, config.optimizer.schedule) == (3e-3, "cosine")
    assert (config.train.steps, config.train.batch_unlabeled) == (small.steps, 8)
    assert (config.data.fit, config.data.resampling) == (fit, resampling)
    assert (config.data.height, config.data.width) == size


@pytest.mark.parametrize("make", [mtiles_ppl.get_config, mtiles_urn.get_config])
def test_the_small_run_of_the_tiles_has_a_pretrained_encoder(make):
    base = make("small").base
    assert base.network.encoder == "efficientnet_lite0"
    assert base.network.pretrained == encoders.IMAGENET
    assert (base.data.channels, base.data.height) == (3, 128)
    assert (base.optimizer.learning_rate, base.optimizer.decoder_multiple) == (3e-4, 10.0)
    assert validate(base) is base
    assert make("medium").base.network.name == "unet"


@pytest.mark.parametrize("make", [folder_stpp.get_config, folder_ppl.get_config])
def test_recipes_of_your_own_images_have_a_pretrained_variant(make):
    small, pretrained, whole = (make(variant) for variant in ("small", "pretrained", ""))
    assert (small.base.network.name, small.base.data.height) == ("unet", 64)
    assert pretrained.base.network.pretrained == encoders.IMAGENET
    assert (pretrained.base.data.height, pretrained.scales) == (128, (1.0,))
    for recipe in (small, pretrained):
        assert (recipe.base.train.steps, recipe.student_steps) == (1500, (3000, 3000))
    assert (whole.student_steps, len(whole.scales)) == ((20_000, 20_000), 5)
    assert small.balanced
    assert pretrained.balanced
    assert whole.balanced
    assert validate(pretrained.base) is pretrained.base
    with pytest.raises(ConfigError, match="variant = 'smal': .*did you mean small?"):
        make("smal")


def test_small_images_are_labeled_at_one_scale():
    assert mtiles_ppl.get_config("small").scales == mtiles_ppl.get_config("medium").scales == (1.0,)
    assert len(mtiles_ppl.get_config("1_8").scales) == 5


def test_the_medium_variant_is_that_of_all_trainings():
    config = small_runs.apply(datasets.neu_seg(), "medium", small_runs.NEU)
    assert (config.train.steps, config.data.height) == (2500, 64)
    assert config.network.dropout[-1] > 0
    with pytest.raises(ConfigError, match="variant = 'tiny': must be one of small, medium"):
        small_runs.apply(datasets.neu_seg(), "tiny", small_runs.NEU)
