"""UAPS's objective against numpy and the published code's numbers, and the method around it."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import oracles
from tests.compare import relative_difference, report
from uaps_jax import methods
from uaps_jax.configs import neu_uaps
from uaps_jax.labels import IGNORE
from uaps_jax.losses import consistency, segmentation, uncertainty
from uaps_jax.methods import passes, supervised, uaps
from uaps_jax.methods.base import Inputs
from uaps_jax.models.interfaces import Outputs

W1, W2, W3 = 0.3, 0.2, 0.7
BETA = np.array([0.4, 0.1, 0.3, 0.2], np.float32)


def options(**changes):
    return dataclasses.replace(neu_uaps.get_config().method, **changes)


def batch(scale=2.0, decoders=4, classes=3):
    rng = np.random.default_rng(0)
    labeled, unlabeled = scale * rng.normal(size=(2, decoders, 2, 4, 3, classes))
    labels = rng.integers(classes, size=(2, 4, 3))
    labels[rng.uniform(size=labels.shape) < 0.2] = IGNORE
    return labeled.astype(np.float32), unlabeled.astype(np.float32), labels.astype(np.int32)


@functools.cache
def compiled(**changes):
    """((total, parts), gradients by both logits) of the objective with some options."""
    chosen = options(**changes)

    def loss(labeled, unlabeled, labels, beta, w1, w2, w3):
        return uaps.objective(labeled, unlabeled, labels, beta, w1, w2, w3, chosen)

    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))


def objective(w1=W1, w2=W2, w3=0.0, beta=BETA, data=None, **changes):
    labeled, unlabeled, labels = batch() if data is None else data
    return compiled(**changes)(labeled, unlabeled, labels, beta, w1, w2, w3)


# Values and gradients


@pytest.mark.parametrize("rectify", ["scalar", "pixel"])
def test_the_objective_equals_the_oracle(rectify):
    (total, parts), _ = objective(rectify=rectify)
    expected = oracles.uaps_losses(*batch(), BETA, W1, W2, rectify)
    assert relative_difference(parts["supervised"], expected["l_sup"]) <= 1e-5
    assert relative_difference(parts["pseudo"], expected["l_ups"]) <= 1e-5
    assert relative_difference(parts["uncertainty"], expected["l_un"]) <= 1e-5
    assert relative_difference(total, expected["total"]) <= 1e-5
    assert relative_difference(parts["discount"], np.exp(-expected["kl_maps"]).mean()) <= 1e-5
    assert "energy" not in parts


def test_scalar_and_pixel_rectification_differ():
    (_, scalar), _ = objective(rectify="scalar")
    (_, pixel), _ = objective(rectify="pixel")
    assert abs(scalar["pseudo"] - pixel["pseudo"]) > 0.01 * scalar["pseudo"]


@pytest.mark.parametrize("rectify", ["scalar", "pixel"])
def test_both_gradients_equal_central_differences_of_the_oracle(rectify):
    labeled, unlabeled, labels = batch()
    # Large weights, so that every term counts in the gradient.
    _, gradients = objective(w1=3.0, w2=2.0, rectify=rectify)
    indices = np.random.default_rng(1).permutation(labeled.size)[:40]

    def total(x, y):
        return oracles.uaps_losses(x, y, labels, BETA, 3.0, 2.0, rectify)["total"]

    for gradient, function, at in (
        (gradients[0], lambda x: total(x, unlabeled), labeled),
        (gradients[1], lambda y: total(labeled, y), unlabeled),
    ):
        expected = oracles.numeric_gradient(function, at, indices, 1e-4)
        assert relative_difference(gradient.reshape(-1)[indices], expected) <= 1e-5


@pytest.mark.parametrize("scale", [0.5, 5.0])
def test_rectified_pseudo_supervision_is_never_above_the_plain_one(scale):
    data = batch(scale)
    (_, parts), _ = objective(data=data)
    plain = oracles.uaps_losses(*data, BETA, W1, W2)["ps"].mean()
    assert 0 < parts["discount"] < 1
    assert parts["pseudo"] < plain


def test_heads_that_agree_are_neither_discounted_nor_uncertain():
    labeled, unlabeled, labels = batch()
    unlabeled = np.broadcast_to(unlabeled[:1], unlabeled.shape)
    (_, parts), _ = objective(data=(labeled, unlabeled, labels))
    assert parts["uncertainty"] == pytest.approx(0, abs=1e-6)
    assert parts["discount"] == pytest.approx(1, abs=1e-6)
    plain = oracles.uaps_losses(labeled, unlabeled, labels, BETA, W1, W2)["ps"].mean()
    assert parts["pseudo"] == pytest.approx(plain, rel=1e-5)


def test_a_batch_without_labels_and_extreme_logits_have_a_finite_loss_and_gradient():
    labeled, unlabeled, labels = batch()
    (total, parts), gradients = objective(data=(labeled, unlabeled, np.full_like(labels, IGNORE)))
    assert parts["supervised"] == pytest.approx(0.5)  # Dice without pixels is 1
    assert np.isfinite(total)
    assert_array_equal(gradients[0], 0)
    for rectify in ("scalar", "pixel"):
        extreme = (1e4 * np.sign(labeled), 1e4 * np.sign(unlabeled), labels)
        (total, _), gradients = objective(data=extreme, rectify=rectify)
        assert np.isfinite(total)
        assert np.isfinite(gradients[0]).all()
        assert np.isfinite(gradients[1]).all()


def test_the_number_of_heads_is_free():
    data = batch(decoders=2)
    beta = np.array([0.7, 0.3], np.float32)
    (total, _), _ = objective(data=data, beta=beta)
    assert relative_difference(total, oracles.uaps_losses(*data, beta, W1, W2)["total"]) <= 1e-5


# The published code's numbers


@pytest.fixture(scope="module")
def published(data_dir):
    path = data_dir / "parity" / "uaps_losses.npz"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


@jax.jit
def by_head(logits, labels):
    """Cross-entropy, Dice and half their sum, each `[K]`."""
    losses = (segmentation.cross_entropy, segmentation.dice, segmentation.cross_entropy_and_dice)
    return [jax.vmap(loss, (0, None))(logits, labels) for loss in losses]


@pytest.mark.parametrize("case", ["c4", "c2", "c7"])
def test_losses_and_gradients_equal_the_published_code(published, case):
    stored = {k.split("/")[1]: v for k, v in published.items() if k.startswith(f"{case}/")}
    for name in ("labeled_logits", "unlabeled_logits", "grad_labeled", "grad_unlabeled"):
        stored[name] = np.moveaxis(stored[name], 2, -1)
    labeled, unlabeled = stored["labeled_logits"], stored["unlabeled_logits"]
    labels, beta = stored["labels"].astype(np.int32), stored["beta"].astype(np.float32)
    weights = np.float32(stored["w1"]), np.float32(stored["w2"])

    (total, parts), gradients = objective(*weights, beta=beta, data=(labeled, unlabeled, labels))
    pseudo_label = jax.jit(consistency.mixed_pseudo_label)(unlabeled, beta)
    assert_array_equal(pseudo_label, stored["pseudo_label"])
    ce, dice, _ = by_head(labeled, labels)
    result = {
        "ce": ce,
        "dice": dice,
        "l_sup": parts["supervised"],
        "kl_maps": jax.jit(uncertainty.kl_to_mean)(unlabeled),
        "ps": by_head(unlabeled, pseudo_label)[2],
        "l_ups": parts["pseudo"],
        "l_un": parts["uncertainty"],
        "total": total,
        "grad_labeled": gradients[0],
        "grad_unlabeled": gradients[1],
    }
    rest = {"labeled_logits", "unlabeled_logits", "labels", "beta", "w1", "w2", "pseudo_label"}
    assert set(result) | rest == set(stored)
    differences = {name: relative_difference(v, stored[name]) for name, v in result.items()}
    assert report(case, differences) <= 1e-5


# Options


@pytest.mark.parametrize("option", ["detach_mean", "detach_weight"])
@pytest.mark.parametrize("rectify", ["scalar", "pixel"])
def test_detaching_changes_the_gradient_and_not_the_value(option, rectify):
    (free, parts), (free_labeled, free_unlabeled) = objective(rectify=rectify)
    (held, held_parts), (labeled, unlabeled) = objective(rectify=rectify, **{option: True})
    assert held == pytest.approx(float(free), rel=1e-6)
    for name, value in parts.items():
        assert held_parts[name] == pytest.approx(float(value), rel=1e-6)
    assert_allclose(labeled, free_labeled, rtol=1e-6)
    assert relative_difference(unlabeled, free_unlabeled) > 1e-3


def test_with_the_weight_detached_pseudo_supervision_has_the_gradient_of_a_discounted_loss():
    _, unlabeled, _ = data = batch()
    _, (_, gradient) = objective(w2=0.0, detach_weight=True, data=data)
    hard = oracles.pseudo_label(unlabeled, BETA)
    discount = np.exp(-oracles.kl_to_mean(unlabeled)).mean((1, 2, 3))

    def loss(x):
        heads = [oracles.supervised_loss(head, hard) for head in x]
        return W1 * np.mean(discount * heads)

    indices = np.random.default_rng(2).permutation(unlabeled.size)[:40]
    expected = oracles.numeric_gradient(loss, unlabeled, indices, 1e-4)
    assert relative_difference(gradient.reshape(-1)[indices], expected) <= 1e-5


def test_without_unsupervised_weights_the_gradient_is_that_of_supervised_learning():
    labeled, unlabeled, labels = batch()
    (total, parts), gradients = objective(w1=0.0, w2=0.0)
    value, expected = jax.jit(jax.value_and_grad(supervised.objective))(labeled, labels)
    assert total == pytest.approx(float(value), rel=1e-6)
    assert parts["supervised"] == pytest.approx(float(value), rel=1e-6)
    assert_allclose(gradients[0], expected, rtol=1e-6)
    assert_array_equal(gradients[1], np.zeros_like(unlabeled))
    assert parts["pseudo"] > 0


def test_unlabeled_logits_do_not_touch_the_labeled_gradient():
    labeled, unlabeled, labels = batch()
    _, one = objective()
    _, two = objective(data=(labeled, 2 * unlabeled, labels))
    assert_allclose(one[0], two[0], rtol=1e-6)
    assert relative_difference(two[1], one[1]) > 1e-2


def test_released_energy_is_that_of_both_streams_of_the_main_head():
    labeled, unlabeled, labels = batch()
    (plain, _), _ = objective()
    (total, parts), _ = objective(w3=W3, weight_energy=1.0, energy="released")
    hard = oracles.pseudo_label(unlabeled, BETA)
    expected = oracles.energy_released(labeled[0], labels)
    expected += oracles.energy_released(unlabeled[0], hard)
    assert relative_difference(parts["energy"], expected) <= 1e-5
    assert total == pytest.approx(float(plain) + W3 * expected, rel=1e-5)


def test_repaired_energy_trusts_labels_and_agreement_and_disputes_the_rest():
    labeled, unlabeled, labels = batch()
    unlabeled[1:, :, :2] = 1.5 * unlabeled[:1, :, :2]  # all heads agree in the upper half
    margins = (-2.0, -1.5)
    (total, parts), _ = objective(
        w3=W3,
        weight_energy=1.0,
        energy="repaired",
        energy_margins=margins,
        data=(labeled, unlabeled, labels),
    )
    agree = (unlabeled.argmax(-1) == oracles.pseudo_label(unlabeled, BETA)).all(0)
    assert agree[:, :2].all()
    assert not agree[:, 2:].all()
    known = labels != IGNORE
    expected = oracles.energy_hinge(
        np.concatenate([labeled[0], unlabeled[0]]),
        np.concatenate([known, agree]),
        np.concatenate([np.zeros_like(known), ~agree]),
        *margins,
    )
    assert expected > 0.1
    assert relative_difference(parts["energy"], expected) <= 1e-5
    plain = oracles.uaps_losses(labeled, unlabeled, labels, BETA, W1, W2)["total"]
    assert total == pytest.approx(plain + W3 * expected, rel=1e-5)


@pytest.mark.parametrize("form", ["released", "repaired"])
def test_energy_moves_the_main_head_alone(form):
    _, plain = objective()
    _, with_energy = objective(w3=W3, weight_energy=1.0, energy=form, energy_margins=(-2.0, -1.5))
    for before, after in zip(plain, with_energy, strict=True):
        assert np.abs(after[0] - before[0]).max() > 1e-3
        assert_allclose(after[1:], before[1:], rtol=1e-5, atol=1e-8)


# Interleaving


def test_interleave_alternates_and_separate_takes_one_part():
    labeled = np.arange(3 * 4, dtype=np.float32).reshape(3, 2, 2)
    unlabeled = 100 + labeled
    both = passes.interleave(labeled, unlabeled)
    assert both.shape == (6, 2, 2)
    for b in range(3):
        assert_array_equal(both[2 * b], labeled[b])
        assert_array_equal(both[2 * b + 1], unlabeled[b])
    decoders = Outputs(np.stack([both, -both]), {"head": np.stack([2 * both])})
    for part, expected in enumerate((labeled, unlabeled)):
        result = passes.separate(decoders, part, 2)
        assert_array_equal(result.logits, [expected, -expected])
        assert_array_equal(result.heads["head"], [2 * expected])


def test_batches_of_several_sizes_go_through_the_network_one_after_the_other():
    network = (
        methods.build(
            tiny(),
        )
        .predictor("")
        .network
    )
    start = network.init(0)
    x, u = (np.random.default_rng(n).normal(size=(n, 4, 4, 3)) for n in (2, 4))
    key = jax.random.key(0)

    @jax.jit
    def unequal(params, stats):
        return passes.forward(network, params, stats, key, x, u)

    (labeled, unlabeled), stats = unequal(start["params"], start["batch_stats"])
    assert (labeled.logits.shape[1], unlabeled.logits.shape[1]) == (2, 4)

    @jax.jit
    def in_turn(variables):
        first, middle = network.train_outputs(variables, x, jax.random.fold_in(key, 0))
        then = {"params": variables["params"], "batch_stats": middle}
        second, last = network.train_outputs(then, u, jax.random.fold_in(key, 1))
        return first, second, last

    first, second, last = in_turn(start)
    assert_allclose(labeled.logits, first.logits, rtol=1e-5, atol=1e-6)
    assert_allclose(unlabeled.logits, second.logits, rtol=1e-5, atol=1e-6)
    jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-5, atol=1e-6), stats, last)


# The method: what `build` puts around the objective


def tiny(**changes):
    config = neu_uaps.get_config()
    config.network.auxiliary = 1
    config.network.widths, config.network.dropout = (2, 3), (0.0, 0.0)
    config.method = options(ramp_interval=2, ramp_length=5, weight_uncertainty=0.5, **changes)
    return config


@functools.cache
def step(**changes):
    """A method, what its loss needs but key, step and hyper-parameters, and the compiled loss."""
    method = methods.build(tiny(**changes))
    rng = np.random.default_rng(0)
    x, u = rng.normal(size=(2, 2, 4, 4, 3)).astype(np.float32)
    labels = rng.integers(4, size=(2, 4, 4)).astype(np.int32)
    views = {"labeled": {"image": x, "mask": labels}, "unlabeled": {"image": u}}
    params, state = jax.tree.map(jnp.array, method.init(0))
    return method, Inputs(params, state, {}, views, None, None, None), jax.jit(method.loss)


def run(number, key=0, hyperparameters=None, **changes):
    method, inputs, loss = step(**changes)
    chosen = dict(method.hyperparameters) | (hyperparameters or {})
    traced = {name: np.float32(value) for name, value in chosen.items()}
    result = loss(
        inputs._replace(key=jax.random.key(key), step=np.int32(number), hyperparameters=traced)
    )
    return result.loss, result.state, result.metrics


@pytest.mark.parametrize("number", [0, 3, 1000])
def test_both_unsupervised_terms_follow_the_ramp(number):
    total, _, parts = run(number)
    ramp = oracles.ramp_up(number, 2, 5)
    assert parts["ramp"] == pytest.approx(ramp, rel=1e-5)
    expected = parts["supervised"] + ramp * (0.1 * parts["pseudo"] + 0.5 * parts["uncertainty"])
    assert total == pytest.approx(float(expected), rel=1e-5)


def test_the_uncertainty_term_can_be_left_out_of_the_ramp():
    total, _, parts = run(0, ramp_uncertainty=False)
    expected = (
        parts["supervised"]
        + oracles.ramp_up(0, 2, 5) * 0.1 * parts["pseudo"]
        + 0.5 * parts["uncertainty"]
    )
    assert total == pytest.approx(float(expected), rel=1e-5)
    assert 0.4 * parts["uncertainty"] > 1e-5


def test_hyperparameters_are_inputs_of_the_compiled_loss():
    base_total, _, _ = run(1000)
    total, _, parts = run(1000, hyperparameters={"weight_pseudo": 2.0})
    assert total - base_total == pytest.approx(1.9 * float(parts["pseudo"]), rel=1e-4)


def test_a_loss_depends_on_its_key_alone_and_updates_the_statistics():
    method, _, _ = step()
    total, state, _ = run(5, key=1)
    again, _, _ = run(5, key=1)
    other, _, _ = run(5, key=2)
    assert total == again
    assert total != other
    before = method.init(0)[1]
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max() > 0, state, before)
    assert all(jax.tree.leaves(moved))


@pytest.mark.parametrize("mixing", ["dirichlet", "mean"])
def test_mixing_draws_new_weights_every_step_or_takes_the_mean(mixing, monkeypatch):
    seen = []
    original = consistency.mixed_pseudo_label

    def spy(logits, weights):
        seen.append(weights)
        return original(logits, weights)

    monkeypatch.setattr(consistency, "mixed_pseudo_label", spy)
    method = methods.build(tiny(mixing=mixing))
    _, inputs, _ = step()
    traced = {name: np.float32(value) for name, value in method.hyperparameters.items()}

    def beta(key):
        method.loss(inputs._replace(key=key, step=np.int32(0), hyperparameters=traced))
        return seen.pop()

    one, two = np.asarray(
        jax.jit(lambda keys: [beta(keys[0]), beta(keys[1])])(jax.random.split(jax.random.key(0), 2))
    )
    for result in (one, two):
        assert result.shape == (2,)
        assert result.min() >= 0
        assert result.sum() == pytest.approx(1, rel=1e-5)
    if mixing == "mean":
        assert_array_equal([one, two], 0.5)
    else:
        assert np.abs(one - two).max() > 1e-3


def test_streams_and_predictors_have_the_documented_names():
    method, _, _ = step()
    streams = {"labeled": ("image", "mask"), "unlabeled": ("image",)}
    assert {n: (s.pool, s.batch, s.fields) for n, s in method.streams.items()} == {
        name: (name, 16, fields) for name, fields in streams.items()
    }
    assert list(method.predictors) == ["main", "ensemble"]
    assert method.predictor("") is method.predictors["main"]
    with pytest.raises(ValueError, match="must be one of main, ensemble"):
        method.predictor("median")


def test_predictors_give_probabilities_of_the_main_head_and_of_the_mean_of_all_heads():
    method, _, _ = step()
    model, normalize = method.predictor("").network, method.predictor("").normalize
    tree = jax.tree.map(jnp.array, method.variables(*method.init(0)))
    images = np.random.default_rng(0).integers(256, size=(2, 4, 4, 3)).astype(np.uint8)

    @jax.jit
    def every(tree, images):
        heads = jax.nn.softmax(model.all_logits(tree, normalize(images), None))
        return heads, [predict(tree, images) for predict in method.predictors.values()]

    heads, (main, ensemble) = every(tree, images)
    assert_allclose(main, heads[0], rtol=1e-5)
    assert_allclose(ensemble, heads.mean(0), rtol=1e-5)
    assert_allclose(ensemble.sum(-1), 1, rtol=1e-5)
    assert np.abs(ensemble - main).max() > 1e-4


@pytest.mark.parametrize("perturbed", [True, False])
def test_uncertainty_is_the_mean_divergence_of_perturbed_or_clean_heads(perturbed):
    method = methods.build(tiny(perturb_at_eval=perturbed))
    tree = jax.tree.map(jnp.array, method.variables(*method.init(0)))
    images = np.random.default_rng(0).integers(256, size=(2, 4, 4, 3)).astype(np.uint8)
    uncertain = jax.jit(method.uncertainty)
    one, two = (uncertain(tree, images, jax.random.key(k)) for k in (0, 1))
    assert one.shape == (2, 4, 4)
    assert one.max() > 0
    assert np.array_equal(one, two) != perturbed
    if not perturbed:
        model, normalize = method.predictor("").network, method.predictor("").normalize
        logits = jax.jit(lambda t, x: model.all_logits(t, normalize(x), None))(tree, images)
        assert_allclose(one, oracles.kl_to_mean(logits).mean(0), rtol=1e-4, atol=1e-6)
