"""The members of an ensemble and the features, by the network's own functions."""

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose

from tests import tiny
from uaps_jax import methods
from uaps_jax.inference import members as members_lib

TURNED = (2, 1, (1, 2))


@pytest.fixture(scope="module")
def looked():
    """UAPS before training: the members of each kind, the prediction, the pyramid, the features."""
    config = tiny.config("uaps")
    method = methods.build(config)
    variables = method.variables(*method.init(3))
    predictor = method.predictor("")
    kinds = ("prediction", "decoders", "flips")
    images = tiny.pool(2).images

    @jax.jit
    def run(variables, images):
        first = predictor.networks(variables)[0]
        members = {
            kind: members_lib.of(method, predictor, kind)(variables, images) for kind in kinds
        }
        mirrored = [predictor(variables, jax.numpy.flip(images, axes)) for axes in TURNED]
        return (
            members,
            predictor(variables, images),
            mirrored,
            method.predictors["ensemble"].logits(variables, images, None),
            predictor.network.pyramid(first, predictor.normalize(images)),
            members_lib.encoder_features(predictor)(variables, images),
        )

    return config, method, jax.tree.map(np.asarray, run(variables, images))


def test_members_are_the_prediction_its_mirror_images_or_all_decoders(looked):
    _, _, (members, prediction, mirrored, logits, *_) = looked
    assert_allclose(members["prediction"], prediction[None])
    flips = members["flips"]
    assert_allclose(flips[0], prediction, rtol=1e-5)
    for axes, turned, member in zip(TURNED, mirrored, flips[1:], strict=True):
        assert_allclose(member, np.flip(turned, axes), rtol=1e-5)
    exponents = np.exp(logits - logits.max(-1, keepdims=True))
    assert_allclose(members["decoders"], exponents / exponents.sum(-1, keepdims=True), rtol=1e-4)
    assert len(logits) > 1


def test_features_are_the_mean_of_the_coarsest_level(looked):
    *_, (*_, pyramid, features) = looked
    coarsest = pyramid[-1]
    assert coarsest.shape[1] < pyramid[0].shape[1]
    mean = coarsest.reshape(len(coarsest), -1, coarsest.shape[-1]).mean(1)
    assert_allclose(features, mean, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("method", "members", "expected"),
    [
        ("uaps", "decoders", 4),
        ("mean_teacher", "decoders", 2),
        ("cps", "decoders", 2),
        ("supervised", "decoders", 1),
        ("supervised", "flips", 4),
        ("supervised", "prediction", 1),
    ],
)
def test_members_are_counted_without_a_compilation(method, members, expected):
    config = tiny.config(method)
    assert members_lib.count(config, methods.build(config), members) == expected
