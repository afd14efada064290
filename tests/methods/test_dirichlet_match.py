"""The teacher's mixed prediction, boxes from labeled images, and a step with all parts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import oracles, tiny
from tests.methods.steps import inputs_of, views_of
from uaps_jax import methods
from uaps_jax.config import ConfigError, validate
from uaps_jax.losses import consistency
from uaps_jax.methods import dirichlet_match, weak_to_strong


def test_mixed_prediction_equals_numpy():
    logits = np.random.default_rng(0).normal(size=(3, 2, 4, 4, 3)).astype(np.float32)
    key = jax.random.key(5)
    beta = np.asarray(consistency.dirichlet_weights(key, 3))
    q, weight = dirichlet_match.mixed_prediction(logits, key, "dirichlet", True)
    assert_allclose(q, oracles.mix_probabilities(oracles.softmax(logits), beta), rtol=1e-5)
    divergence = np.mean(oracles.kl_to_mean(logits), axis=0)
    assert_allclose(weight, np.exp(-divergence), rtol=1e-4)
    mean, ones = dirichlet_match.mixed_prediction(logits, key, "mean", False)
    assert_allclose(mean, oracles.softmax(logits).mean(0), rtol=1e-5)
    assert_array_equal(ones, 1)
    main, _ = dirichlet_match.mixed_prediction(logits, key, "main", False)
    assert_allclose(main, oracles.softmax(logits)[0], rtol=1e-5)


def spied(method, inputs):
    """The targets that the objective was given, and the images that the network saw."""
    seen = {}
    original = weak_to_strong.objective

    def spy(labeled, truth, strong, targets, weight, form):
        seen["targets"], seen["decoders"] = targets, [len(x) for x in (labeled, *strong)]
        return original(labeled, truth, strong, targets, weight, form)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weak_to_strong, "objective", spy)
        result = method.loss(inputs)
    return seen, result


@pytest.mark.parametrize("paste", ["always", "unsure"])
def test_labeled_boxes_bring_their_truth_with_weight_1(paste):
    settings = tiny.config("dirichlet_match")
    settings.method.labeled_paste, settings.method.cutmix = paste, 0.0
    settings.method.threshold, settings.method.threshold_rule = 1.0, "fixed"  # no other pixel
    method = methods.build(settings)
    params, state = method.init(0)
    views = views_of(method, jax.random.key(2))
    inputs = inputs_of(method, params, state, views, jax.random.key(1), 3)
    seen, result = spied(method, inputs)
    assert np.isfinite(result.loss)
    assert seen["decoders"] == [4, 4, 4]
    truth = np.asarray(views["labeled"]["mask"])
    pasted = []
    for number, target in enumerate(seen["targets"]):
        box = np.asarray(views[f"strong_{number}"]["paste"])
        weight = np.asarray(target.weight)
        chosen = weight.any((1, 2))
        pasted.append(chosen)
        assert_array_equal(weight, box * chosen[:, None, None])
        assert_array_equal(np.asarray(target.labels)[weight > 0], truth[weight > 0])
    if paste == "always":
        assert np.all(pasted)


def test_settings_that_do_not_fit():
    settings = tiny.config("dirichlet_match")
    settings.method.strong_views = 1
    settings.train.batch_unlabeled = 8
    with pytest.raises(ConfigError) as error:
        validate(settings)
    assert "method.channel_dropout" in str(error.value)
    assert "train.batch_unlabeled" in str(error.value)


def test_every_part_can_be_switched_off():
    """Without its parts it is fixmatch: the same loss and gradients."""
    plain, ours = tiny.config("fixmatch"), tiny.config("dirichlet_match")
    ours.network.auxiliary, ours.method.strong_views = 0, 1
    ours.method.mixing, ours.method.discount = "main", False
    ours.method.channel_dropout, ours.method.labeled_paste = 0.0, "none"
    ours.method.threshold_rule = "fixed"
    values = []
    for settings in (plain, ours):
        method = methods.build(settings)
        params, state = method.init(0)
        views = views_of(method, jax.random.key(2))
        inputs = inputs_of(method, params, state, views, jax.random.key(1), 3)

        def loss(p, method=method, inputs=inputs):
            return method.loss(inputs._replace(params=p)).loss

        values.append(jax.jit(jax.value_and_grad(loss))(params))
    for a, b in zip(*map(jax.tree.leaves, values), strict=True):
        assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_probe_gives_the_mixed_target():
    method = methods.build(tiny.config("dirichlet_match"))
    variables = method.variables(*method.init(0))
    images = jnp.asarray(tiny.pools().probe.images, jnp.float32)
    found = method.pseudo_labels(variables, images, jax.random.key(0), 3)
    assert found.kept.dtype == bool
    assert found.target.shape == found.student.shape == images.shape[:3]
