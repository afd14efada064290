"""FixMatch, UniMatch V2 and what they share: targets, thresholds, views and objective."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import method_oracles as oracle
from tests import oracles, tiny
from tests.compare import relative_difference
from tests.methods.steps import inputs_of, views_of
from uaps_jax import methods
from uaps_jax.config import ConfigError, from_stored, to_stored, validate
from uaps_jax.configs import train
from uaps_jax.labels import IGNORE
from uaps_jax.methods import passes, strong_views, thresholds, unimatch_v2, weak_to_strong
from uaps_jax.training.step import traced_hyperparameters

FORMS = ("cross_entropy_and_dice", "cross_entropy", "dice")
FAMILY = ("fixmatch", "unimatch_v2")


def random_case(views):
    rng = np.random.default_rng(0)
    labeled = rng.normal(size=(2, 4, 4, 3)).astype(np.float32)
    strong = rng.normal(size=(views, 2, 4, 4, 3)).astype(np.float32)
    labels = rng.integers(3, size=(2, 4, 4)).astype(np.int32)
    labels[0, 0] = IGNORE
    targets = rng.integers(3, size=(views, 2, 4, 4)).astype(np.int32)
    weight = rng.integers(2, size=(views, 2, 4, 4)).astype(np.float32)
    return labeled, strong, labels, targets, weight


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("views", [1, 2])
def test_objective_and_gradients_equal_numpy(form, views):
    labeled, strong, labels, targets, weight = random_case(views)

    def ours(labeled, strong):
        both = [strong_views.Target(*pair) for pair in zip(targets, weight, strict=True)]
        return weak_to_strong.objective(
            labeled[None], labels, list(strong[:, None]), both, jnp.float32(0.7), form
        )[0]

    def theirs(labeled, strong):
        return oracle.weak_to_strong(labeled, labels, strong, targets, weight, 0.7, form)

    value, gradients = jax.value_and_grad(ours, argnums=(0, 1))(labeled, strong)
    assert relative_difference(value, theirs(labeled, strong)) <= 1e-5
    for place, name in enumerate(("labeled", "strong")):
        arrays = {"labeled": labeled, "strong": strong}
        indices = np.random.default_rng(1).permutation(arrays[name].size)[:24]

        def at(x, arrays=arrays, name=name):
            return theirs(**(arrays | {name: x}))

        numeric = oracles.numeric_gradient(at, arrays[name], indices, 1e-4)
        ours_there = np.asarray(gradients[place]).reshape(-1)[indices]
        assert relative_difference(ours_there, numeric) <= 1e-5, name


def test_confident_pixels_are_kept_by_the_limit_of_their_class():
    probabilities = np.array([[[[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]]]], np.float32)
    labels, weight = strong_views.confident(probabilities, jnp.array([0.8, 0.7]))
    assert_array_equal(labels, [[[0, 0, 1]]])
    assert_array_equal(weight, [[[1, 0, 1]]])


def test_thresholds_worked_by_hand():
    # Pseudo-labels 0, 0, 1 with confidences 0.9, 0.6, 0.7; class 2 is absent.
    p = np.array([[[[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.3, 0.7, 0.0]]]], np.float32)
    start, m = jnp.array([0.8, 0.5, 0.4]), jnp.float32(0.5)
    after = {
        rule: thresholds.update(rule, start, p, m) for rule in ("fixed", "global", "classwise")
    }
    assert_array_equal(after["fixed"], start)
    assert_allclose(after["global"], [0.8, 0.65, 0.6], rtol=1e-6)  # mean of 0.9 and 0.7 is 0.8
    assert_allclose(after["classwise"], [0.775, 0.6, 0.4], rtol=1e-6)  # of 0.75 and 0.7
    tau = jnp.float32(0.9)
    assert_allclose(thresholds.current("fixed", tau, start), [0.9] * 3, rtol=1e-6)
    assert_allclose(thresholds.current("global", tau, start), start, rtol=1e-6)
    assert_allclose(thresholds.current("classwise", tau, start), [0.9, 0.5625, 0.45], rtol=1e-6)


def test_global_thresholds_stay_equal_over_classes():
    p = jax.nn.softmax(jax.random.normal(jax.random.key(0), (2, 4, 4, 3)))
    averages = thresholds.update("global", thresholds.initial("global", 3), p, jnp.float32(0.9))
    assert_allclose(averages, np.full(3, averages[0]))


def test_a_class_that_no_batch_had_keeps_the_threshold():
    p = np.array([[[[0.6, 0.4, 0.0], [0.2, 0.8, 0.0]]]], np.float32)
    start = thresholds.initial("classwise", 3)
    assert_allclose(thresholds.current("classwise", jnp.float32(0.9), start), [0.9] * 3)
    averages = thresholds.update("classwise", start, p, jnp.float32(0.99))
    assert_allclose(averages, [0.6, 0.8, 0.0], rtol=1e-6)  # the first batch counts in full
    limits = thresholds.current("classwise", jnp.float32(0.8), averages)
    assert_allclose(limits, [0.6, 0.8, 0.8], rtol=1e-6)


@pytest.mark.parametrize(("count", "changed"), [(6, 3), (5, 3), (1, 1)])
def test_channel_dropout_is_complementary_in_the_same_half_of_the_images(count, changed):
    pyramid = [jnp.ones((count, 3, 4, 4, 16)), jnp.ones((count, 3, 2, 2, 24))]
    levels = unimatch_v2.complementary_dropout(jax.random.key(0), pyramid, 0.5)
    chosen = []
    for level in map(np.asarray, levels):
        assert_array_equal(level[:, 0], 1)
        assert_array_equal(level[:, 1] + level[:, 2], 2)
        assert_array_equal(level, np.broadcast_to(level[:, :, :1, :1], level.shape))
        chosen.append((level[:, 1] != 1).any((1, 2, 3)))
        assert set(np.unique(level[chosen[-1], 1])) == {0, 2}
    assert_array_equal(*chosen)
    assert chosen[0].sum() == changed


@pytest.fixture(scope="module", params=FAMILY)
def step(request):
    """A step's inputs of a method with CutMix in every image, and what the loss was given."""
    settings = tiny.config(request.param)
    settings.method.cutmix, settings.method.threshold = 1.0, 0.0
    method = methods.build(settings)
    params, state = method.init(0)
    views = views_of(method, jax.random.key(2))
    return method, views, inputs_of(method, params, state, views, jax.random.key(1), 3)


def test_strong_views_have_the_geometry_of_the_weak_one(step):
    """Without photometric changes all views are the same image; boxes differ."""
    settings = tiny.config("unimatch_v2")
    views = (settings.views.unlabeled, settings.method.strong)
    for name in ("jitter", "grayscale", "blur", "noise", "brightness_contrast", "pixel_dropout"):
        for view in views:
            setattr(view, name, 0.0)
    method = methods.build(settings)
    made = views_of(method, jax.random.key(2))
    for name in strong_views.strong_names(2):
        assert_allclose(made[name]["image"], made["weak"]["image"], atol=1e-6)
    _, views, _ = step
    boxes = [np.asarray(v["box"]) for name, v in views.items() if name.startswith("strong")]
    assert all(0 < box.mean() < 0.5 for box in boxes)
    assert len({box.tobytes() for box in boxes}) == len(boxes)


def test_loss_is_finite_and_keeps_every_pixel_at_threshold_0(step):
    method, _, inputs = step
    result = jax.jit(method.loss)(inputs)
    assert np.isfinite(result.loss)
    assert float(result.metrics["kept"]) == 1.0
    assert set(result.state) == set(inputs.state)


def test_the_teacher_has_no_gradient_and_labels_come_along_with_boxes(step):
    """The loss of a network that is its own teacher: targets are the next image's in the box."""
    method, views, inputs = step
    network = method.predictor("").network

    def of_teacher(teacher):
        state = inputs.state | {"teacher": teacher}
        return method.loss(inputs._replace(state=state)).loss

    gradient = jax.jit(jax.grad(of_teacher))(inputs.state["teacher"])
    assert all((np.asarray(leaf) == 0).all() for leaf in jax.tree.leaves(gradient))

    weak = np.asarray(network.main_logits(inputs.state["teacher"], views["weak"]["image"]))
    labels = weak.argmax(-1)
    box = np.asarray(views["strong_0"]["box"])
    expected = np.where(box, np.roll(labels, -1, 0), labels)
    seen = {}
    original = weak_to_strong.objective

    def spy(labeled, truth, strong, targets, weight, form):
        seen["labels"] = targets[0].labels
        return original(labeled, truth, strong, targets, weight, form)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weak_to_strong, "objective", spy)
        method.loss(inputs)
    assert_array_equal(seen["labels"], expected)


def test_the_averaged_network_of_supervised_learning():
    settings = tiny.config("supervised")
    settings.method.ema_decay = 0.5
    method = methods.build(settings)
    assert tuple(method.predictors) == ("main", "ema")
    params, state = method.init(0)
    moved = jax.tree.map(lambda x: x + 1, params)
    after = method.after_update(moved, state, jnp.asarray(3), traced_hyperparameters(method))
    variables = method.variables(moved, after)
    kernel = ("encoder", "block_0", "conv_0", "kernel")
    before, now = params, variables["teacher"]["params"]
    for name in kernel:
        before, now = before[name], now[name]
    assert_allclose(now, before + 0.5, rtol=1e-5)
    assert method.pseudo_labels is None


def test_older_supervised_settings_have_no_average():
    settings = tiny.config("supervised")
    stored = to_stored(settings) | {"config_version": 5}
    del stored["method.ema_decay"]
    assert from_stored(stored) == settings


@pytest.mark.parametrize("rule", ["global", "classwise"])
def test_adaptive_thresholds_are_part_of_state_and_prediction(rule):
    settings = tiny.config("fixmatch")
    settings.method = dataclasses.replace(
        settings.method, threshold_rule=rule, threshold_momentum=0.5
    )
    method = methods.build(settings)
    params, state = method.init(0)
    views = views_of(method, jax.random.key(2))
    inputs = inputs_of(method, params, state, views, jax.random.key(1), 3)
    new = jax.jit(method.loss)(inputs).state
    assert (np.asarray(new["confidence"]) != np.asarray(state["confidence"])).any()
    images = tiny.pools().probe.images.astype(np.float32)
    found = method.pseudo_labels(method.variables(params, new), images, jax.random.key(0), 3)
    assert found.kept.shape == found.target.shape == images.shape[:3]


@pytest.mark.parametrize("name", FAMILY)
def test_the_weak_view_has_no_photometric_changes(name):
    views = train.build(dataset="neu", method=name).views
    weak, labeled = views.unlabeled, views.labeled
    assert weak.brightness_contrast == weak.blur == weak.noise == weak.jitter == 0
    assert (weak.hflip, weak.rot90) == (labeled.hflip, labeled.rot90)
    assert labeled.brightness_contrast > 0


def test_labeled_images_and_strong_views_have_common_statistics(monkeypatch):
    seen = []
    original = passes.forward

    def spy(*arguments, **options):
        seen.append(options["joint"])
        return original(*arguments, **options)

    monkeypatch.setattr(passes, "forward", spy)
    method = methods.build(tiny.config("fixmatch"))
    params, state = method.init(0)
    views = views_of(method, jax.random.key(2))
    inputs = inputs_of(method, params, state, views, jax.random.key(1), 3)
    jax.eval_shape(method.loss, inputs)
    assert seen == [True]

    network, key = method.predictor("").network, jax.random.key(4)
    stats, batches = state["batch_stats"], [views[n]["image"] for n in ("labeled", "weak")]
    outputs, new = original(network, params, stats, key, *batches, joint=True)
    both = passes.interleave(*batches)
    variables = {"params": params, "batch_stats": stats}
    expected, expected_new = network.train_outputs(variables, both, key, parts=1)
    assert_array_equal(outputs[1].logits, expected.logits[:, 1::2])
    jax.tree.map(assert_array_equal, new, expected_new)


def test_unequal_batches_are_refused():
    settings = tiny.config("unimatch_v2")
    settings.train.batch_unlabeled = 8
    with pytest.raises(ConfigError, match=r"train\.batch_unlabeled"):
        validate(settings)
