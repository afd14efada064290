"""The members of methods, and what is computed of them for images of any size."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import tiny
from tests.inference.test_predict_images import model_of
from uaps_jax import methods
from uaps_jax.acquisition import uncertainty
from uaps_jax.data import tiling
from uaps_jax.inference import ensemble


@pytest.mark.parametrize(("method", "expected"), [("uaps", "decoders"), ("mean_teacher", "both")])
def test_the_members_are_decoders_or_predictors(method, expected):
    built = methods.build(tiny.config(method))
    variables = built.variables(*built.init(0))
    if expected == "both":
        variables = {**variables, "teacher": jax.tree.map(lambda x: 1.1 * x, variables["teacher"])}
    images = jnp.asarray(tiny.pool(2).images)
    found = ensemble.make(built, "", "decoders", deterministic=True)(variables, images)
    of = {name: predictor(variables, images) for name, predictor in built.predictors.items()}
    if expected == "both":
        members = [of["student"], of["teacher"]]
        network = variables["student"]
    else:
        logits = built.predictors["ensemble"].logits(variables, images, None)
        assert len(logits) > 1
        members = jax.nn.softmax(logits)
        network = variables
    np.testing.assert_allclose(found.members, np.stack(members), atol=1e-5)
    assert np.abs(found.members[0] - found.members[1]).max() > 1e-4
    first = next(iter(built.predictors))
    np.testing.assert_allclose(found.probabilities, of[first], atol=1e-5)
    predictor = built.predictors[first]
    encoder = {c: network[c]["encoder"] for c in ("params", "batch_stats")}
    pyramid = predictor.network.encoder.apply(encoder, predictor.normalize(images), train=False)
    np.testing.assert_allclose(found.features, pyramid[-1].mean((1, 2)), rtol=1e-4, atol=1e-5)


def by_brightness(members):
    """Member m finds class 1 as probable as a pixel is bright, to the power m + 1."""

    def run(variables, images):
        del variables
        bright = np.asarray(images, np.float32)[..., 0] / 255
        p = np.stack([bright ** (m + 1) for m in range(members)])
        of_classes = np.stack([1 - p, p, np.zeros_like(p)], -1)
        features = np.stack([bright.mean((1, 2)), bright.max((1, 2))], -1)
        return ensemble.Batch(of_classes[0], of_classes, features)

    return run


@pytest.mark.parametrize("members", [1, 2])
def test_images_of_several_tiles_are_assembled(tmp_path, members):
    config = tiny.config()
    config.data.fit = "pad"
    random = np.random.default_rng(0)
    images = {
        "a": random.integers(0, 256, (16, 16), np.uint8),
        "b": random.integers(0, 256, (40, 33), np.uint8),
        "c": random.integers(0, 256, (9, 5), np.uint8),
    }
    rgb = {name: np.repeat(image[..., None], 3, 2) for name, image in images.items()}
    tiled = [
        tiling.tiled(name, functools.partial(rgb.get, name), config.data, 4) for name in images
    ]
    corners = {one.name: len(one.corners) for one in tiled}
    assert corners == {"a": 1, "b": 9, "c": 1}
    model = model_of(config, None, {}, tmp_path)
    run = by_brightness(members)
    every = ensemble.outputs([model], run, tiled, config.data, ensemble.entropy_and_disagreement)
    found = {out.image.name: out for out in every}
    for name, image in rgb.items():
        whole = run({}, image[None]).members[:, 0]
        out = found[name]
        probabilities, entropy, *disagreement = out.whole.outputs()
        np.testing.assert_allclose(probabilities, whole[0], atol=1e-6)
        np.testing.assert_allclose(entropy, uncertainty.entropy(whole), atol=1e-5)
        assert len(disagreement) == members - 1
        for one in disagreement:
            np.testing.assert_allclose(one, uncertainty.bald(whole), atol=1e-5)
        assert np.linalg.norm(out.features) == pytest.approx(1, abs=1e-5)
    own = run({}, rgb["a"][None]).features[0]
    np.testing.assert_allclose(found["a"].features, own / np.linalg.norm(own), rtol=1e-5)
