"""PPL's Def-UP, its views and its step."""

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import method_oracles as oracle
from tests import oracles, tiny
from tests.methods.steps import batch_of, inputs_of, views_of
from uaps_jax import methods
from uaps_jax.config import ConfigError, validate
from uaps_jax.configs import train
from uaps_jax.configs.parts.views import photometric
from uaps_jax.labels import IGNORE
from uaps_jax.methods import ppl

COUNT, SIZE = 3, 4


def hand_made():
    """A batch whose pixels say where they are from: labeled 100 i, strong 10 i, and their place."""
    place = np.arange(SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE, 1) / 100
    images = np.stack([100 * (i + 1) + place for i in range(COUNT)])
    strong = np.stack([10 * (i + 1) + place for i in range(COUNT)])
    labels = np.stack([np.full((SIZE, SIZE), i) for i in range(COUNT)])
    pseudo = np.stack([np.full((SIZE, SIZE), COUNT + i) for i in range(COUNT)])
    labels[0, 1, 1] = pseudo[2, 3, 3] = IGNORE
    first, second = (np.zeros((SIZE, SIZE), bool) for _ in range(2))
    first[:2], second[:, :3] = True, True
    return images, labels, strong, pseudo, first, second


def ours_of(images, labels, strong, pseudo, first, second, unsure):
    boxes = tuple(np.broadcast_to(mask, labels.shape) for mask in (first, second))
    mixed = ppl.def_up(
        {"image": strong, "mask": pseudo}, {"image": images, "mask": labels}, boxes, unsure
    )
    return mixed["image"], mixed["mask"]


def test_def_up_of_a_hand_made_batch():
    given = hand_made()
    images, labels, strong, pseudo, first, second = given
    draws, kappa = np.array([0.5, 0.2, 0.9]), np.array([0.4, 0.6, 0.1])
    image, target = ours_of(*given, draws > kappa)
    # Image 2 was sure: its next, image 1, takes its strong view alone.
    assert_array_equal(np.floor(image[0, :, 0, 0]), [20, 20, 20, 20])
    # Image 2's next is image 0, which was unsure; the labeled rows 0 and 1 come with it.
    assert_array_equal(np.floor(image[2, :, 0, 0]), [100, 100, 10, 10])
    assert_array_equal(np.floor(image[2, :, 3, 0]), [30, 30, 30, 30])
    assert_array_equal(target[2, :, 1], [0, IGNORE, COUNT, COUNT])
    expected = oracle.def_up(strong, pseudo, images, labels, first, second, draws, kappa)
    assert_array_equal(image, expected[0])
    assert_array_equal(target, expected[1])


def test_an_image_that_is_sure_everywhere_gets_no_labeled_pixels():
    images, labels, strong, pseudo, _, _ = hand_made()
    everywhere = np.ones((SIZE, SIZE), bool)
    draws, kappa = np.full(COUNT, 1 - 1e-6), np.ones(COUNT)
    image, target = ours_of(images, labels, strong, pseudo, everywhere, everywhere, draws > kappa)
    assert_array_equal(image, np.roll(strong, -1, 0))
    assert_array_equal(target, np.roll(pseudo, -1, 0))


def test_labels_are_all_missing():
    logits = np.random.default_rng(0).normal(size=(2, 2, 4, 4, 3)).astype(np.float32)
    missing = np.full((2, 4, 4), IGNORE)

    def loss(x):
        return ppl.objective(x[0], missing, x[1], missing, "cross_entropy")[0]

    value, gradient = jax.value_and_grad(loss)(logits)
    assert value == 0
    assert_array_equal(gradient, 0)


def made(form, **changes):
    settings = tiny.config("ppl")
    settings.method.form = form
    for name, value in changes.items():
        setattr(settings.method, name, value)
    method = methods.build(settings)
    return method, views_of(method, jax.random.key(2))


def test_the_strong_view_is_a_photometric_change_of_the_weak_one():
    settings = tiny.config("ppl")
    mean, std = settings.data.mean, settings.data.std
    _, views = made("repaired", strong=photometric())
    weak = np.asarray(views["weak"]["image"])
    assert_allclose(views["strong"]["image"], weak, atol=1e-6)
    assert_array_equal(views["strong"]["mask"], views["weak"]["mask"])
    _, changed = made("repaired")
    assert np.abs(np.asarray(changed["strong"]["image"]) - weak).max() > 0.1
    assert_allclose(changed["weak"]["image"], weak, atol=1e-6)

    _, released = made("released", strong=photometric())
    assert_allclose(released["weak"]["image"], weak, atol=1e-6)
    # Away from whole numbers, where rounding decides, the wrapped bytes are numpy's.
    scaled = np.float64(255) * weak
    bytes_ = np.trunc(scaled).astype(np.int64) % 256
    expected = oracles.normalize(bytes_, mean, std)
    clear = np.abs(scaled - np.round(scaled)) > 1e-3
    assert clear.mean() > 0.9
    assert_allclose(np.asarray(released["strong"]["image"])[clear], expected[clear], atol=1e-5)


def test_masks_are_shared_by_the_batch():
    _, views = made("repaired")
    masks = [np.asarray(views["boxes"][name]) for name in ("labeled", "next")]
    for mask in masks:
        assert_array_equal(mask, np.broadcast_to(mask[:1], mask.shape))
        assert 0 < mask.mean() < 0.5
    assert (masks[0] != masks[1]).any()


def test_a_step_mixes_by_the_confidence_of_the_network_in_evaluation(monkeypatch):
    method, views = made("repaired")
    params, state = method.init(0)
    # An untrained network is sure of nothing.
    params["decoders"]["classifier"]["bias"][:, 0] += 3
    network = method.predictor("").network
    variables = {"params": params, "batch_stats": state["batch_stats"]}
    weak = network.main_logits(variables, views["weak"]["image"])
    kappa = oracle.certainty(oracles.softmax(np.asarray(weak))).mean((1, 2))

    def draws_of(key):
        # `bernoulli(key, 1 - kappa)` is uniform(key) < 1 - kappa.
        return 1 - np.asarray(jax.random.uniform(jax.random.split(key)[1], kappa.shape))

    keys = map(jax.random.key, range(100))
    key = next(k for k in keys if 0 < (draws_of(k) > kappa).sum() < len(kappa))
    draws = draws_of(key)
    seen = {}
    train, objective = type(network).train_outputs, ppl.objective

    def outputs(self, variables, images, key, **options):
        seen["images"], seen["parts"] = np.asarray(images), options["parts"]
        return train(self, variables, images, key, **options)

    def spy(labeled, labels, mixed, targets, form):
        seen["targets"] = np.asarray(targets)
        return objective(labeled, labels, mixed, targets, form)

    monkeypatch.setattr(type(network), "train_outputs", outputs)
    monkeypatch.setattr(ppl, "objective", spy)
    result = method.loss(inputs_of(method, params, state, views, key, 3))
    assert float(result.metrics["certainty"]) == pytest.approx(kappa.mean(), rel=1e-4)
    labeled, strong = views["labeled"], views["strong"]
    first, second = (np.asarray(views["boxes"][name][0]) for name in ("labeled", "next"))
    given = (strong["image"], strong["mask"], labeled["image"], labeled["mask"])
    image, target = oracle.def_up(*map(np.asarray, given), first, second, draws, kappa)
    assert_array_equal(seen["targets"], target)
    both = seen["images"].reshape(len(image), 2, *image.shape[1:])
    assert_array_equal(both[:, 0], labeled["image"])
    assert_array_equal(both[:, 1], image)
    assert seen["parts"] == 1  # common batch statistics


@pytest.mark.parametrize("form", ["released", "repaired"])
def test_bfloat16_has_nearly_the_loss_of_float32(form):
    losses = []
    for dtype in ("float32", "bfloat16"):
        settings = tiny.config("ppl")
        settings.method.form, settings.network.dtype = form, dtype
        method = methods.build(settings)
        views = views_of(method, jax.random.key(2))
        inputs = inputs_of(method, *method.init(0), views, jax.random.key(1), 0)
        losses.append(float(jax.jit(method.loss)(inputs).loss))
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert losses[1] != losses[0]


def test_the_unlabeled_stream_reads_masks():
    method = methods.build(tiny.config("ppl"))
    assert method.streams["unlabeled"].fields == ("image", "mask")
    assert set(batch_of(method)["unlabeled"]) == {"index", "image", "mask"}
    assert method.pseudo_labels is None


def test_settings():
    settings = train.build(dataset="neu", method="ppl")
    strong = settings.method.strong
    assert (strong.jitter, strong.grayscale, strong.gaussian_blur) == (0.8, 0.2, 0.5)
    assert strong.jitter_limits == (0.5, 0.5, 0.5, 0.25)
    assert strong.cutout == 0
    assert settings.views.unlabeled.brightness_contrast == 0
    settings.train.batch_unlabeled = 8
    with pytest.raises(ConfigError, match=r"train\.batch_unlabeled"):
        validate(settings)
