"""Extra heads: what they read, their sizes, their statistics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.models.networks import small
from tests.models.test_encoders import on
from uaps_jax import models
from uaps_jax.config import Head
from uaps_jax.configs.parts.networks import NETWORKS
from uaps_jax.models import heads, initialize

KEY = jax.random.key(0)
ALL = {
    "variance": Head("linear", 1),
    "projection": Head("projection", 8),
    "fcn": Head("fcn", 3),
    "labels": Head("class_activation", 2),
}
DECODERS = 4


def images(batch, size):
    return np.random.default_rng(1).normal(size=(batch, size, size, 3)).astype(np.float32)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_network_has_every_head(name):
    network = models.build(on(name, "uaps"), ALL)
    shapes = network.shapes()
    shown = jax.ShapeDtypeStruct((4, 64, 96, 3), jnp.float32)

    def both(variables, x, key):
        return network.train_outputs(variables, x, key, parts=2), network.outputs(variables, x)

    (train, stats), evaluated = jax.eval_shape(both, shapes, shown, jax.random.key(0))
    assert jax.tree.map(lambda x: x.shape, train) == jax.tree.map(lambda x: x.shape, evaluated)
    jax.tree.map(lambda a, b: assert_array_equal(a.shape, b.shape), stats, shapes["batch_stats"])

    def abstract(module, x):
        return jax.eval_shape(lambda k, y: module.init_with_output(k, y, train=False)[0], KEY, x)

    pyramid = abstract(network.encoder, shown)
    decoded = abstract(network.decoder, pyramid)
    sizes = {n: x.shape for n, x in train.heads.items()}
    assert sizes["variance"] == (DECODERS, *decoded.features.shape[:3], 1)
    stride = max(4, 64 // decoded.joined.shape[1])
    assert sizes["projection"] == (DECODERS, 4, 64 // stride, 96 // stride, 8)
    assert sizes["fcn"] == (1, *pyramid[-2].shape[:3], 3)
    assert sizes["labels"] == (1, *pyramid[-1].shape[:3], 2)


def test_the_number_of_parameters_of_u2pls_heads_is_the_published_one():
    """512 channels behind the concatenation, 1024 of the stage before the last; biases as there."""
    chosen = {"projection": Head("projection", 256), "fcn": Head("fcn", 19)}
    shapes = models.build(on("deeplabv3plus_u2pl"), chosen).shapes()["params"]["heads"]
    norm = 2 * 256
    convolutions = 512 * 256 * 9 + 256 + 256 * 256 * 9 + 256 + 256 * 256 + 256
    assert initialize.count(shapes["projection"]) == convolutions + 2 * norm
    assert initialize.count(shapes["fcn"]) == 1024 * 256 * 9 + 256 + norm + 256 * 19 + 19


@pytest.fixture(scope="module")
def outputs():
    network = small(heads=ALL, auxiliary=1)
    variables = jax.tree.map(jnp.asarray, network.init(0))
    x = images(4, 16)
    train, stats = jax.jit(lambda v: network.train_outputs(v, x, KEY, parts=2))(variables)
    return network, variables, x, train, stats, jax.jit(network.outputs)(variables, x)


def test_a_head_has_its_own_statistics_and_they_are_updated(outputs):
    _, variables, _, _, stats, _ = outputs
    before = variables["batch_stats"]["heads"]
    assert sorted(before) == ["fcn", "projection"]
    for name, count in (("fcn", 1), ("projection", 2)):
        for leaf in jax.tree.leaves(before[name]):
            assert len(leaf) == count
        moved = jax.tree.map(lambda a, b: bool((a != b).all()), before[name], stats["heads"][name])
        assert all(jax.tree.leaves(moved)), name


def test_heads_in_evaluation_are_what_their_layers_compute(outputs):
    network, variables, x, _, _, evaluated = outputs
    tree = {c: variables[c]["encoder"] for c in variables}
    pyramid = network.encoder.apply(tree, x, train=False)
    params = variables["params"]["heads"]
    maps = pyramid[-1] @ params["labels"]["output"]["kernel"][0, 0, 0]
    assert_allclose(evaluated.heads["labels"][0], maps, rtol=1e-4, atol=1e-5)
    assert_allclose(heads.image_logits(evaluated.heads["labels"]), maps.mean((1, 2))[None], 1e-4)
    for decoder in range(2):
        tree = {
            c: jax.tree.map(lambda leaf, n=decoder: leaf[n], variables[c]["decoders"])
            for c in variables
        }
        decoded = network.decoder.apply(tree, pyramid, train=False)
        assert_allclose(evaluated.logits[decoder], decoded.logits, rtol=1e-4, atol=1e-5)
        own = jax.tree.map(lambda leaf, n=decoder: leaf[n], params)
        variance = decoded.features @ own["variance"]["kernel"][0, 0]
        variance += own["variance"]["bias"].reshape(1, 1, 1, -1)
        assert_allclose(evaluated.heads["variance"][decoder], variance, rtol=1e-4, atol=1e-5)
        stats = jax.tree.map(lambda leaf, n=decoder: leaf[n], variables["batch_stats"]["heads"])
        projected = heads.module(ALL["projection"], None).apply(
            {"params": own["projection"], "batch_stats": stats["projection"]},
            decoded.joined[:, ::4, ::4],
            train=False,
        )
        assert_allclose(evaluated.heads["projection"][decoder], projected, rtol=1e-4, atol=1e-5)


def test_parts_have_statistics_of_their_own_in_heads(outputs):
    """Each part alone gives what both give together, but for dropout, whose rate is set to 0."""
    _, variables, *_ = outputs
    module = heads.module(ALL["projection"], None)
    own = jax.tree.map(lambda leaf: leaf[0], variables["params"]["heads"]["projection"])
    stats = jax.tree.map(lambda leaf: leaf[0], variables["batch_stats"]["heads"]["projection"])
    features = np.random.default_rng(3).normal(size=(4, 4, 4, 4)).astype(np.float32)

    def run(batch, parts):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(heads, "DROPOUT", 0.0)
            return module.apply(
                {"params": own, "batch_stats": stats},
                batch,
                train=True,
                parts=parts,
                mutable=["batch_stats"],
            )[0]

    together = run(features, 2)
    for part in range(2):
        assert_allclose(together[part::2], run(features[part::2], 1), rtol=1e-4, atol=1e-5)
