"""PPL's published settings, and that its lists have the sizes that its lengths count with."""

import pytest

from uaps_jax import config as config_lib
from uaps_jax.config import ConfigError
from uaps_jax.configs.parts import ppl, progressive
from uaps_jax.datasets.dagm import protocols as dagm
from uaps_jax.datasets.mtiles import protocols as mtiles
from uaps_jax.datasets.neu_seg import protocols as neu

SETTINGS = {"neu": (ppl.NEU, neu), "mtiles": (ppl.MTILES, mtiles), "dagm": (ppl.DAGM, dagm)}


@pytest.mark.parametrize("name", SETTINGS)
def test_every_list_has_a_valid_configuration(name):
    setting, _ = SETTINGS[name]
    for ratio, count in setting.labeled.items():
        recipe = progressive.published(progressive.ppl, setting, ratio)
        config = config_lib.validate(recipe.base)
        assert (config.data.protocol, config.data.labeled_count) == ("ppl", count)
        optimizer = config.optimizer
        assert (optimizer.name, optimizer.schedule, optimizer.poly_power) == ("sgd", "poly", 0.9)
        assert (optimizer.learning_rate, optimizer.decoder_multiple) == (setting.learning_rate, 10)
        assert (optimizer.momentum, optimizer.weight_decay) == (0.9, 1e-4)
        assert optimizer.decay_biases_and_norms
        assert config.network.encoder == "resnet18"
        assert {config.method.loss, recipe.student.loss} == {"cross_entropy"}
        assert config.views.labeled.hflip == 0.5
        assert (recipe.score, recipe.student.name, recipe.student.form) == (
            "sir",
            "ppl",
            "repaired",
        )
        lengths = setting.lengths(ratio)
        assert (config.train.steps, *recipe.student_steps) == tuple(n.steps for n in lengths)
        ends = [round(share * lengths.teacher.steps) for share in recipe.checkpoints]
        assert [end % lengths.teacher.per_epoch for end in ends] == [0, 0]
        assert [end // lengths.teacher.per_epoch for end in ends] == [
            lengths.teacher.epochs // 3,
            2 * lengths.teacher.epochs // 3,
        ]
    with pytest.raises(ConfigError, match="list or variant = '1_3'"):
        progressive.published(progressive.ppl, setting, "1_3")


@pytest.mark.parametrize("name", SETTINGS)
def test_lists_are_those_of_the_protocol(name):
    setting, package = SETTINGS[name]
    protocol = package.PROTOCOLS["ppl"]
    assert tuple(setting.labeled.values()) == package._PPL_SIZES
    assert protocol.config == ppl.published(setting, "1_2").data.name
    # All images but those of the published list of test images.
    assert setting.train == protocol.images - {"neu": 840, "mtiles": 271, "dagm": 1054}[name]


def test_the_longest_training_of_every_list_has_about_as_many_steps():
    for setting, _ in SETTINGS.values():
        steps = [setting.lengths(ratio).second.steps for ratio in setting.labeled]
        assert max(steps) < 1.02 * min(steps)
    assert ppl.MTILES.lengths("1_8").first.steps == 13_455


def test_a_shortened_run_is_on_the_u_net_and_shortens_the_strong_views():
    recipe = progressive.published(progressive.ppl, ppl.NEU, "small")
    assert recipe.base.network.name == "unet"
    assert (recipe.base.data.height, recipe.base.data.fit) == (32, "resize")
    assert recipe.base.data.labeled_count == 453
    assert recipe.student_steps == (2 * recipe.base.train.steps,) * 2
    assert recipe.student.strong.gaussian_blur == 0
    assert recipe.student.strong.jitter == 0.8
