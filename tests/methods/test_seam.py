"""The classifier of image labels: its loss by oracles, its tags, its maps as a prediction."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import tiny, weak_oracles
from uaps_jax import methods
from uaps_jax.methods import seam
from uaps_jax.models.resize import resize


def normalized(maps, tags):
    positive = np.maximum(maps, 0) * tags[:, None, None]
    v = positive / (np.maximum(maps, 0).max((1, 2), keepdims=True) + 1e-5)
    return np.concatenate([1 - v.max(-1, keepdims=True), v], -1)


def soft_margin(maps, tags):
    logits = maps.mean((1, 2)).astype(np.float64)
    return (np.log1p(np.exp(-logits)) * tags + np.log1p(np.exp(logits)) * (1 - tags)).mean()


def test_the_loss_of_two_views_equals_the_oracles():
    """Both views have one size, so that nothing is resized."""
    random = np.random.default_rng(0)
    views = [
        tuple(random.normal(size=(2, 4, 5, n)).astype(np.float32) for n in (3, 6)) for _ in range(2)
    ]
    tags = np.array([[1, 0, 1], [0, 1, 0]], np.float32)
    with_background = np.concatenate([np.ones((2, 1)), tags], -1)[:, None, None]
    v = [normalized(maps, tags) for maps, _ in views]
    r = [
        with_background * weak_oracles.pixel_correlation(one, features)
        for one, (_, features) in zip(v, views, strict=True)
    ]
    expected = {
        "labels": np.mean([soft_margin(maps, tags) for maps, _ in views]),
        "low": np.mean([weak_oracles.low_activation(one) for one in r]),
        "equivariance": np.abs(v[0] - v[1])[..., 1:].mean(),
        "cross": weak_oracles.cross_regularization(v[1], v[0], r[1], r[0]),
    }
    loss, parts = seam.objective(views, jnp.asarray(tags), jnp.asarray(0.7))
    assert {name: float(value) for name, value in parts.items()} == pytest.approx(
        expected, rel=1e-4
    )
    of_views = expected["low"] + expected["equivariance"] + expected["cross"]
    assert float(loss) == pytest.approx(expected["labels"] + 0.7 * of_views, rel=1e-4)
    alone, parts = seam.objective(views[:1], jnp.asarray(tags), jnp.asarray(0.7))
    assert list(parts) == ["labels"]
    assert float(alone) == pytest.approx(soft_margin(views[0][0], tags), rel=1e-5)


def test_tags_are_the_classes_of_the_whole_mask_and_maps_are_a_prediction():
    config = tiny.config("seam")
    config.views.labeled.crop_height = config.views.labeled.crop_width = 8
    method = methods.build(config)
    masks = np.zeros((3, 16, 16), np.uint8)
    masks[0, 0, 0], masks[1], masks[1, 5] = 2, 255, 1
    batch = {
        "labeled": {
            "image": np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8),
            "mask": masks,
            "index": np.arange(3),
        }
    }
    views = jax.jit(method.views)(jax.random.key(0), batch)
    np.testing.assert_array_equal(views["labeled"]["tags"], [[0, 1], [1, 0], [0, 0]])
    assert views["labeled"]["image"].shape == (3, 8, 8, 3)
    params, state = method.init(0)
    predictor = method.predictor("")
    variables = method.variables(params, state)

    @jax.jit
    def predicted(images):
        maps, _ = predictor.maps(variables, images)
        return predictor(variables, images), maps, predictor.flat_maps(variables, (16, 16, 3))

    probabilities, maps, flat = map(np.asarray, predicted(batch["labeled"]["image"]))
    heads = jax.jit(lambda x: predictor.network.outputs(variables, x).heads["labels"][0])
    np.testing.assert_allclose(
        flat, heads(np.zeros((1, 16, 16, 3), np.float32)), rtol=1e-4, atol=1e-5
    )
    is_there = maps.mean((1, 2)) > 0
    assert is_there.any()
    assert not is_there.all()
    v = normalized(maps - flat, is_there)
    v = np.asarray(resize(jnp.asarray(v, jnp.float32), 16, 16))
    np.testing.assert_allclose(probabilities, v / v.sum(-1, keepdims=True), rtol=1e-3, atol=1e-6)
