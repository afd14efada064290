"""Rounds whose network sees crops: whole images are predicted, proposed and drawn."""

import io
import json
import shutil

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from tests.commands import mine
from tests.recipes.test_active import images, labels, recipe, run
from uaps_jax import inference
from uaps_jax.acquisition.score import DEFAULT
from uaps_jax.commands import opening
from uaps_jax.data import source
from uaps_jax.recipes import observe, shown
from uaps_jax.recipes.stage import Place, Waiting

SIDE = 48
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
def found(root):
    """The network of the start, the dataset, the names of the candidates, and what it finds."""
    folder = root / "run" / "hybrid" / "round_1" / "select"
    model = inference.load(root / "run" / "start_random" / "train", "latest")
    _, dataset = opening.open_dataset(model.config)
    names = sorted(row["name"] for row in images(folder))
    return model, dataset, names, observe.observed([model], dataset, names, DEFAULT, "prediction")


def test_the_masks_are_those_of_the_predictions(found):
    model, dataset, names, observed = found
    predictions = model.predict([source.pixels(dataset, name) for name in names])
    masks = [np.asarray(Image.open(io.BytesIO(mask))) for mask in observed.masks]
    assert_array_equal(masks, [prediction.mask for prediction in predictions])
    assert masks[0].shape == (SIDE, SIDE)


def test_a_round_has_the_scores_and_shares_of_whole_images(root, found):
    _, _, names, observed = found
    rows = {row["name"]: row for row in images(root / "run" / "hybrid" / "round_1" / "select")}
    shares = [float(rows[name]["predicted_percent"]) for name in names]
    assert_allclose(shares, 100 * observed.shares)
    assert_allclose([float(rows[name]["score"]) for name in names], observed.scores, rtol=1e-5)
    summary = (root / "run" / "hybrid" / "round_1" / "select" / "summary.json").read_text()
    assert json.loads(summary)["chosen"] == 2


def test_chosen_images_are_drawn_whole_and_thin_defects_stay(found, monkeypatch, tmp_path):
    _, dataset, names, observed = found
    drawn = []
    monkeypatch.setattr(shown.ranking_sheet, "draw", lambda *given: drawn.append(given))
    monkeypatch.setattr(shown, "SIDE", 12)
    thin = np.zeros((SIDE, SIDE), np.uint8)
    thin[:, 21] = 2
    masks = [*observed.masks[:-1], shown.palette.png(thin)]
    rows = [
        shown.Row(name=name, state="chosen", order=1, score=0.5, share=1.0, minutes=1.0)
        for name in names
    ]
    place = Place(folder=tmp_path, inputs={}, dataset=dataset, split={})
    shown.draw(place, names, [len(names) - 1], rows, masks)
    [([picture], [label], [truth], [title], target)] = drawn
    assert picture.shape[:2] == label.shape == truth.shape == (12, 12)
    assert (label == 2).sum(1).tolist() == [1] * 12
    assert title == f"1. 0.500\n{names[-1]}"
    assert target == tmp_path / "chosen.png"


def test_proposals_of_photographs_have_their_size_and_the_values_of_the_folder(root, tmp_path):
    shutil.copytree(root / "mine" / "images", tmp_path / "mine" / "images")
    values = {0: 0, 1: 100, 2: 200}
    (tmp_path / "mine" / "classes.yaml").write_text("background: 0\nscratch: 100\ndent: 200\n")
    (tmp_path / "mine" / "masks").mkdir()

    def again():
        made = recipe(tmp_path, annotation="files", baselines=(), start="random")
        made.start_images, made.added = 7, (2.0,)
        made.base.data.fit = "crop"
        with pytest.raises(Waiting) as asked:
            run(tmp_path, made)
        return str(asked.value)

    assert "chosen 7 images" in again()
    for index, name in enumerate(labels(tmp_path / "run" / "start_random" / "select")):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[8:20, 8:20] = values[1 + index % 2]
        Image.fromarray(mask).save(tmp_path / "mine" / "masks" / f"{name}.png")
    assert "chosen 2 images" in again()
    selected = tmp_path / "run" / "hybrid" / "round_1" / "select"
    model = inference.load(tmp_path / "run" / "start_random" / "train", "latest")
    _, dataset = opening.open_dataset(model.config)
    proposals = sorted((selected / "proposals").iterdir())
    assert len(proposals) == 2
    for file in proposals:
        mask = model.predict(source.pixels(dataset, file.stem)).mask
        with Image.open(file) as proposal:
            assert_array_equal(np.asarray(proposal), np.vectorize(values.get)(mask))
