"""What a network finds in images of any size: whole ones by their tiles, others in one input."""

import dataclasses
import io

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from tests.commands import mine
from tests.recipes.test_active import recipe
from uaps_jax import inference
from uaps_jax.acquisition import uncertainty
from uaps_jax.acquisition.score import DEFAULT, Score
from uaps_jax.commands import opening
from uaps_jax.data import prepare, source, tiling
from uaps_jax.inference import ensemble
from uaps_jax.recipes import images, observe

SIDE = 48
"""Of the images; the network sees 16 x 16 pixels."""

TURNS = ((), (2,), (1,), (1, 2))
"""Axes of `[B, H, W, C]`."""


def bright(brightness):
    """Probabilities of three classes, `[..., 3]`."""
    p = np.asarray(brightness, np.float32)
    return np.stack([1 - p, 0.7 * p, 0.3 * p], -1)


def by_place(*kind):
    """Members that find class 1 where it is bright, the m-th more the farther it is to the right.

    A member of a mirrored image is turned back.
    """
    axes = TURNS if "flips" in kind else ((),)

    def run(variables, batch):
        batch = np.asarray(batch)
        right = np.linspace(0, 1, batch.shape[2])[:, None]
        turned = [np.flip(batch, a) / 255 * right for a in axes]
        members = np.stack(
            [bright(np.flip(t, a)[..., 0]) for t, a in zip(turned, axes, strict=True)]
        )
        members = members ** variables["power"]
        members /= members.sum(-1, keepdims=True)
        features = np.stack([batch.mean((1, 2, 3)), batch.std((1, 2, 3)) + 1], -1)
        return ensemble.Batch(members[0], members, features.astype(np.float32))

    return run


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A dataset of 16 images, and a model whose networks are `by_place`."""
    root = tmp_path_factory.mktemp("observed")
    mine.write_folder(root / "mine")
    config, dataset = opening.open_dataset(recipe(root).base)
    return config, dataset


def models_of(config, powers=(1.0,), **data):
    """Models of one run, by the power of their probabilities."""
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, **data))
    method = inference.trained.methods.build(config)
    made = [
        inference.TrainedModel(
            config=config,
            method=method,
            directory=None,
            checkpoint="latest",
            step=step,
            variables={"power": power},
            refine=None,
        )
        for step, power in enumerate(powers)
    ]
    return made


def decoded(found):
    return [np.asarray(Image.open(io.BytesIO(mask))) for mask in found.masks]


def by_hand(pixels, powers, data, kind):
    """Members `[M, H, W, C]` of an image, blended over its tiles."""
    tiles = tiling.tiled("", lambda: pixels, data, 4)
    run = by_place(kind)
    parts = None
    for corner, tile in zip(tiles.corners, tiles.tiles, strict=True):
        members = np.concatenate([run({"power": p}, tile[None]).members for p in powers])[:, 0]
        parts = parts or [prepare.TileAssembler(tiles.size, data) for _ in range(2 + len(members))]
        maps = [uncertainty.entropy(members), members.mean(0), *members]
        for part, one in zip(parts, maps, strict=True):
            part.add(one, corner)
    entropy, mean, *members = (part.result() for part in parts)
    return entropy, mean, np.stack(members)


@pytest.mark.parametrize(
    ("members", "powers"),
    [("prediction", (1.0,)), ("flips", (1.0,)), ("checkpoints", (2.0, 0.5))],
)
@pytest.mark.parametrize("aggregation", ["top_share", "class_balanced"])
def test_whole_images_have_the_score_of_their_blended_tiles(
    opened, monkeypatch, members, powers, aggregation
):
    config, dataset = opened
    names = sorted(dataset.groups)[:5]
    models = models_of(config, powers, fit="crop")
    kinds = []

    def make(method, predictor, kind, *, deterministic):
        kinds.append(kind)
        return by_place(kind)

    monkeypatch.setattr(ensemble, "make", make)
    score = dataclasses.replace(DEFAULT, aggregation=aggregation)
    found = observe.observed(models, dataset, names, score, members)
    assert kinds == ["prediction" if members == "checkpoints" else members]
    data = models[0].config.data
    for row, (name, mask) in enumerate(zip(names, decoded(found), strict=True)):
        entropy, mean, every = by_hand(source.pixels(dataset, name), powers, data, *kinds)
        assert entropy.shape == (SIDE, SIDE)
        assert_allclose(found.scores[row], score.of_maps(entropy, mean), rtol=1e-5)
        last = every[len(every) // len(powers) * (len(powers) - 1)]
        assert_array_equal(mask, last.argmax(-1))
        assert_allclose(found.shares[row], (mask > 0).mean())
    assert np.ptp(found.scores) > 1e-3


def test_features_are_the_mean_of_those_of_the_tiles_at_unit_length(opened, monkeypatch):
    config, dataset = opened
    names = sorted(dataset.groups)[:3]
    [model] = models_of(config, fit="crop")
    monkeypatch.setattr(ensemble, "make", lambda *_, **__: by_place())
    found = observe.observed([model], dataset, names, None, "flips")
    assert found.scores is None
    data = model.config.data
    for name, features in zip(names, found.features, strict=True):
        tiles = [*tiling.tiled("", lambda name=name: source.pixels(dataset, name), data, 4).tiles]
        assert len(tiles) > 9
        mean = np.mean([[tile.mean(), tile.std() + 1] for tile in tiles], 0)
        assert_allclose(features, mean / np.linalg.norm(mean), rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "outside"),
    [
        ({"fit": "resize", "resampling": "nearest"}, 0),
        ({"fit": "resize", "resampling": "area"}, 0),
        ({"fit": "resize", "height": 16, "width": 32, "transpose": True}, 0),
        ({"fit": "pad"}, SIDE**2 - 16**2),
        ({"fit": "pad", "height": 64, "width": 64}, 0),
    ],
)
def test_other_images_have_the_score_and_the_mask_of_their_one_input(
    opened, monkeypatch, settings, outside
):
    config, dataset = opened
    names = sorted(dataset.groups)[:5]
    [model] = models_of(config, **settings)
    monkeypatch.setattr(ensemble, "make", lambda *_, **__: by_place())
    found = observe.observed([model], dataset, names, DEFAULT, "prediction")
    data = model.config.data
    seen = source.read(dataset, names, data).images
    members = by_place()({"power": 1.0}, seen).members
    inside = np.s_[:, :, 8:56, 8:56] if data.height == 64 else np.s_[:]
    scores = [DEFAULT(members[inside][:, row]) for row in range(5)]
    assert_allclose(found.scores, scores, rtol=1e-6)
    labels = members[0].argmax(-1)
    for mask, label, share in zip(decoded(found), labels, found.shares, strict=True):
        assert mask.shape == (SIDE, SIDE)
        assert share == pytest.approx((mask[mask != 255] > 0).mean())
        assert (mask == 255).sum() == outside
        # What is proposed is learnt as it was predicted.
        learnt = prepare.mask(mask, data)
        known = learnt != 255
        assert known.sum() == min(SIDE**2, label.size)
        assert_array_equal(learnt[known], label[known])


def test_crops_at_another_scale_are_scored_at_it(opened, monkeypatch):
    config, dataset = opened
    names = sorted(dataset.groups)[:2]
    [model] = models_of(config, fit="crop", scale=0.5)
    monkeypatch.setattr(ensemble, "make", lambda *_, **__: by_place())
    window = Score(uncertainty="entropy", aggregation="worst_window", share=0.05, border=2, side=24)
    found = observe.observed([model], dataset, names, window, "prediction")
    for name, score in zip(names, found.scores, strict=True):
        pixels = source.pixels(dataset, name)
        data = model.config.data
        small = prepare.scaled(pixels, data)
        assert small.shape[:2] == (SIDE // 2, SIDE // 2)
        entropy, *_ = by_hand(small, (1.0,), dataclasses.replace(data, scale=1.0), "prediction")
        assert_allclose(score, entropy.mean(), rtol=1e-5)
    assert [mask.shape for mask in decoded(found)] == [(SIDE, SIDE)] * 2


def test_the_vector_of_an_image_is_the_mean_of_those_of_its_inputs(opened):
    config, dataset = opened
    names = sorted(dataset.groups)[:3]
    seen = []

    def brightness(inputs):
        seen.append(len(inputs))
        return inputs.mean((1, 2), dtype=np.float64)

    data = dataclasses.replace(config.data, fit="crop")
    found = images.vectors(dataset, names, data, 4, "describing", brightness)
    tiles = [
        np.stack([*image.tiles]) for image in images.inputs(dataset, names, data, 4, "reading")
    ]
    assert max(seen) == 4
    assert sum(seen) == sum(map(len, tiles)) > 27
    assert_allclose(found, [own.mean((0, 1, 2)) for own in tiles])
    whole = images.vectors(dataset, names, config.data, 4, "describing", brightness)
    assert_allclose(whole, source.read(dataset, names, config.data).images.mean((1, 2)))
