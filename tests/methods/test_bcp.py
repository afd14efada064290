"""BCP's objective, its boxes and its pretraining."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import method_oracles as oracle
from tests import oracles, tiny
from tests.compare import relative_difference
from tests.methods.steps import inputs_of, views_of
from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.config import ConfigError
from uaps_jax.labels import IGNORE
from uaps_jax.methods import bcp
from uaps_jax.transforms.mixing import next_images


def test_objective_and_gradients_equal_numpy():
    rng = np.random.default_rng(0)
    first, second = (rng.normal(size=(2, 4, 4, 3)).astype(np.float32) for _ in range(2))
    labels, pseudo = (rng.integers(3, size=(2, 4, 4)).astype(np.int32) for _ in range(2))
    labels[0, 0] = IGNORE
    outside = rng.integers(2, size=(2, 4, 4)).astype(bool)

    def ours(first, second):
        return bcp.objective(first, second, labels, pseudo, outside, jnp.float32(0.5))[0]

    def theirs(first, second):
        return oracle.bcp(first, second, labels, pseudo, outside, 0.5)

    value, gradients = jax.value_and_grad(ours, argnums=(0, 1))(first, second)
    assert relative_difference(value, theirs(first, second)) <= 1e-5
    for place, array in enumerate((first, second)):
        indices = rng.permutation(array.size)[:24]

        def at(x, place=place):
            return theirs(*(x if n == place else a for n, a in enumerate((first, second))))

        numeric = oracles.numeric_gradient(at, array, indices, 1e-4)
        found = np.asarray(gradients[place]).reshape(-1)[indices]
        assert relative_difference(found, numeric) <= 1e-5


def spied(settings, step, monkeypatch):
    """What the objective and the network were given."""
    method = methods.build(settings)
    params, state = method.init(0)
    views = views_of(method, jax.random.key(2))
    seen = {}
    network = method.predictor("").network
    original, train = bcp.objective, type(network).train_outputs

    def objective(first, second, labels, pseudo, outside, weight):
        seen.update(labels=labels, pseudo=pseudo, outside=outside, weight=weight)
        return original(first, second, labels, pseudo, outside, weight)

    def outputs(self, variables, images, key, **options):
        seen["images"] = images
        return train(self, variables, images, key, **options)

    monkeypatch.setattr(bcp, "objective", objective)
    monkeypatch.setattr(type(network), "train_outputs", outputs)
    method.loss(inputs_of(method, params, state, views, jax.random.key(1), step))
    teacher = network.main_logits(state["teacher"], views["unlabeled"]["image"]).argmax(-1)
    return views, seen, teacher


def test_boxes_go_both_ways_and_the_teacher_labels_the_unlabeled_image(monkeypatch):
    settings = tiny.config("bcp")
    settings.method.pretrain, settings.method.box = 3, 0.5
    views, seen, teacher = spied(settings, 3, monkeypatch)
    outside = np.asarray(views["box"]["outside"])
    assert_array_equal((~outside).sum((1, 2)), (tiny.SIZE // 2) ** 2)
    labeled, unlabeled = (np.asarray(views[n]["image"]) for n in ("labeled", "unlabeled"))
    mask = outside[..., None]
    images = np.asarray(seen["images"]).reshape(len(labeled), 2, *labeled.shape[1:])
    assert_allclose(images[:, 0], np.where(mask, labeled, unlabeled))
    assert_allclose(images[:, 1], np.where(mask, unlabeled, labeled))
    assert_array_equal(seen["pseudo"], teacher)
    assert float(seen["weight"]) == 0.5


def test_labeled_images_alone_in_the_first_steps(monkeypatch):
    settings = tiny.config("bcp")
    settings.method.pretrain, settings.method.box = 3, 0.5
    views, seen, _ = spied(settings, 2, monkeypatch)
    labeled = np.asarray(views["labeled"]["image"])
    mask = np.asarray(views["box"]["outside"])[..., None]
    images = np.asarray(seen["images"]).reshape(len(labeled), 2, *labeled.shape[1:])
    assert_allclose(images[:, 0], np.where(mask, labeled, next_images(labeled)))
    assert_array_equal(seen["pseudo"], next_images(views["labeled"]["mask"]))
    assert float(seen["weight"]) == 1.0


def test_pretraining_ends_before_the_run():
    settings = tiny.config("bcp", steps=40)
    settings.method.pretrain = 40
    message = r"pretrain = 40: must be below train.steps = 40, such as 10, 25% of the steps"
    with pytest.raises(ConfigError, match=message):
        config_lib.validate(settings)


def test_pretraining_is_a_quarter_of_a_shortened_run():
    settings = tiny.config("bcp", steps=40)
    assert settings.method.pretrain == 10
