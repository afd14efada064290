"""Rounds whose network sees crops: whole images are scored, proposed and drawn, by their tiles."""

import io
import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from tests.commands import mine
from tests.recipes.test_active import images, recipe, run
from uaps_jax import inference
from uaps_jax.acquisition.score import DEFAULT
from uaps_jax.commands import opening
from uaps_jax.data import source
from uaps_jax.recipes import images as recipe_images
from uaps_jax.recipes import observe

SIZE = 48
"""Of the images; the network sees 16 x 16 pixels."""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("crops")
    mine.write_folder(root / "mine")
    made = recipe(root, baselines=())
    made.base.data.fit = "crop"
    run(root, made)
    return root


@pytest.fixture(scope="module")
def trained(root):
    """The network of the first round, the dataset, and the images that could be chosen."""
    folder = root / "run" / "hybrid" / "round_1" / "select"
    model = inference.load(root / "run" / "start_random" / "train", "latest")
    _, dataset = opening.open_dataset(model.config)
    return model, dataset, sorted(row["name"] for row in images(folder))


@pytest.mark.parametrize("members", ["prediction", "flips"])
def test_whole_images_are_scored_by_their_tiles(trained, members):
    model, dataset, names = trained
    found = observe.observed([model], dataset, names, DEFAULT, members)
    predictions = model.predict([source.pixels(dataset, name) for name in names])
    masks = [np.asarray(Image.open(io.BytesIO(mask))) for mask in found.masks]
    assert_array_equal(masks, [prediction.mask for prediction in predictions])
    assert masks[0].shape == (SIZE, SIZE)
    assert_allclose(found.shares, [(mask > 0).mean() for mask in masks])
    assert_allclose(np.linalg.norm(found.features, axis=1), 1, rtol=1e-6)
    assert np.ptp(found.features, axis=0).max() > 1e-4
    expected = [DEFAULT(prediction.probabilities[None]) for prediction in predictions]
    if members == "prediction":
        assert_allclose(found.scores, expected, rtol=1e-4)
    else:
        assert (np.abs(found.scores - expected) > 1e-6).any()


def test_a_round_knows_the_shares_of_whole_images(root, trained):
    model, dataset, names = trained
    folder = root / "run" / "hybrid" / "round_1" / "select"
    shares = {row["name"]: float(row["predicted_percent"]) for row in images(folder)}
    found = observe.observed([model], dataset, names, None, "prediction")
    assert found.scores is None
    assert_allclose([shares[name] for name in names], 100 * found.shares, atol=0.01)


def test_chosen_images_are_drawn_whole(root):
    folder = root / "run" / "hybrid" / "round_1"
    chosen = json.loads((folder / "select" / "summary.json").read_text())["chosen"]
    with Image.open(folder / "select" / "chosen.png") as sheet:
        assert sheet.size[1] > 100 * chosen


def test_the_vector_of_an_image_is_the_mean_of_those_of_its_tiles(trained):
    model, dataset, names = trained
    seen = []

    def brightness(inputs):
        seen.append(len(inputs))
        return inputs.mean((1, 2), dtype=np.float64)

    data = model.config.data
    found = recipe_images.described(dataset, names[:3], data, 4, "describing", brightness)
    tiles = [
        np.stack([*image.tiles])
        for image in recipe_images.tiled(dataset, names[:3], data, 4, "reading")
    ]
    assert max(seen) == 4
    assert sum(seen) == sum(map(len, tiles)) > 3
    assert_allclose(found, [own.mean((0, 1, 2)) for own in tiles])
    alone = recipe_images.means(np.arange(12.0).reshape(6, 2), (1, 2, 3))
    assert_allclose(alone, [[0, 1], [3, 4], [8, 9]])
