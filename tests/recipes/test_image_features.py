"""Features of images without a trained network, and what they depend on."""

import dataclasses

import numpy as np
import pytest

from tests.commands import mine
from tests.recipes.test_active import recipe
from uaps_jax.commands import opening
from uaps_jax.config import ConfigError
from uaps_jax.recipes import image_features, stage


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("features")
    mine.write_folder(root / "mine")
    return root


def with_data(config, **settings):
    return dataclasses.replace(config, data=dataclasses.replace(config.data, **settings))


@pytest.mark.parametrize("channels", [3, 1])
def test_a_pretrained_encoder_tells_kinds_of_image_apart(root, channels):
    base = recipe(root).base
    if channels == 1:
        base = with_data(base, channels=1, mean=(0.5,), std=(0.2,))
    _, dataset = opening.open_dataset(base)
    names = sorted(dataset.groups)[:5]
    found = image_features.of_images("efficientnet_lite0", base, dataset, names)
    assert found.shape == (5, 320)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    again = image_features.of_images("efficientnet_lite0", base, dataset, names[::-1])
    np.testing.assert_allclose(again, found[::-1], rtol=1e-5, atol=1e-6)
    assert np.ptp(found, axis=0).max() > 0.01
    # Neither the recipe's network nor the size of its images matters, but for the proportions.
    other = with_data(base, height=32, width=32)
    np.testing.assert_array_equal(
        image_features.of_images("efficientnet_lite0", other, dataset, names), found
    )


def test_a_pretrained_encoder_sees_the_whole_of_what_the_network_sees_in_crops(root):
    base = recipe(root).base
    cropped = with_data(base, fit="crop", scale=0.5, defect_share=0.5, crop_scale_range=(0.8, 1.2))
    _, dataset = opening.open_dataset(base)
    names = sorted(dataset.groups)[:3]
    found = image_features.of_images("efficientnet_lite0", cropped, dataset, names)
    whole = with_data(base, height=512, width=512)
    seen = image_features._with_encoder(cropped, "efficientnet_lite0").data
    assert seen == dataclasses.replace(
        image_features._with_encoder(whole, "efficientnet_lite0").data, height=256, width=256
    )
    assert found.shape == (3, 320)


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"height": 16, "width": 16}, (128, 128)),
        ({"height": 96, "width": 144}, (128, 192)),
        ({"height": 320, "width": 64}, (640, 128)),
        ({"height": 80, "width": 100, "fit": "pad"}, (96, 128)),
        ({"height": 64, "width": 80, "fit": "crop", "scale": 0.5}, (256, 256)),
    ],
)
def test_the_size_of_the_images_that_a_pretrained_encoder_sees(root, settings, size):
    base = with_data(recipe(root).base, **settings)
    found = image_features.options("efficientnet_lite0", base)
    assert (found["height"], found["width"]) == size


def test_the_recipes_own_predictor_has_no_part_in_them(root):
    base = recipe(root).base
    other = dataclasses.replace(
        base, evaluation=dataclasses.replace(base.evaluation, predictor="ensemble")
    )
    config = image_features._with_encoder(other, "efficientnet_lite0")
    assert config.evaluation.predictor == ""
    options = [image_features.options("efficientnet_lite0", one) for one in (base, other)]
    assert options[0] == options[1]


def test_the_features_of_the_recipes_own_network(root):
    base = recipe(root).base
    _, dataset = opening.open_dataset(base)
    names = sorted(dataset.groups)[:3]
    assert image_features.of_images("network", base, dataset, names).shape == (3, 6)


def test_options_name_the_weights_and_the_network_that_is_used(root):
    base = recipe(root).base
    options = {name: image_features.options(name, base) for name in ("texture", "network")}
    assert "weights" not in options["texture"]
    assert list(options["network"]["network.widths"]) == [4, 6]
    pretrained = image_features.options("efficientnet_lite0", base)
    assert len(pretrained["weights"]) == 16
    assert "network.widths" in pretrained


def test_weights_that_are_not_installed_are_named_before_anything_is_written(root, monkeypatch):
    config = recipe(root)
    config.acquisition.features = "efficientnet_lite0"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    message = r"acquisition.features = 'efficientnet_lite0': .*\.\[pretrained\]\", or choose 'text"
    with pytest.raises(ConfigError, match=message):
        stage.checked(config, root / "run")
    config = recipe(root, baselines=())
    config.acquisition.features = "efficientnet_lite0"
    config.acquisition.selection = "highest"  # compares nothing
    stage.checked(config, root / "run")


def test_a_choice_is_outdated_by_what_it_depends_on_alone(root):
    def options(name, **settings):
        config = recipe(root, start="typiclust")
        for key, value in settings.items():
            setattr(config.acquisition, key, value)
        return stage._plain({one.name: one for one in config.stages()}[name].options)

    start, second = "start_typiclust/select", "hybrid/round_1/select"
    # As earlier versions recorded it.
    assert options(start)["acquisition"] == {"selection": "typiclust"}
    assert options(second)["acquisition"]["version"] == 2
    assert options(second) != options(second, features="network")
    assert options("random/round_1/select") == options("random/round_1/select", features="network")


def test_the_features_of_a_choice_are_named_where_they_are_not_those_of_the_training(root):
    def of_stage(name, **settings):
        config = recipe(root, start="typiclust")
        for key, value in settings.items():
            setattr(config.acquisition, key, value)
        return {one.name: one for one in config.stages()}[name].options["features"]

    start, second = "start_typiclust/select", "hybrid/round_1/select"
    assert (of_stage(start), of_stage(second)) == ("texture", "texture")
    # A network with random weights does not tell images apart.
    assert of_stage(start, features="network") == "texture"
    assert of_stage(second, features="network") == ""
    assert of_stage("random/round_1/select") == ""
    assert of_stage(start, selection="highest") == "texture"
