"""U2PL: reliable pixels, sets, banks, the contrastive term, mixing, and whole steps."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import oracles, tiny
from tests import u2pl_oracles as oracle
from tests.compare import relative_difference
from tests.methods.steps import inputs_of, views_of
from tests.models.test_add_a_network import step_and_inputs
from tests.training.test_step import prepared as step_and_arguments
from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.config import ConfigError
from uaps_jax.configs import train
from uaps_jax.labels import IGNORE
from uaps_jax.methods import (
    contrast,
    contrast_sets,
    memory_bank,
    region_mixing,
    reliability,
    u2pl_terms,
)
from uaps_jax.models.interfaces import Outputs
from uaps_jax.training import sharding
from uaps_jax.training.step import traced_hyperparameters

B, SIDE, SMALL, D = 2, 8, 4, 5
LABELED, UNLABELED = 0, 1
KEY = jax.random.key(0)


def logits(seed, classes, scale=2.0):
    rng = np.random.default_rng(seed)
    return (scale * rng.normal(size=(B, SIDE, SIDE, classes))).astype(np.float32)


# Reliable pixels


@pytest.mark.parametrize("over", ["all", "class"])
@pytest.mark.parametrize("share", [0.2, 0.05, 0.0])
def test_reliable_pixels_equal_numpy(over, share):
    x = logits(0, 4)
    x[..., 3] -= 20  # no pixel of this class
    found = reliability.reliable(x, jnp.float32(share), over)
    labels, kept = oracle.reliable(x, share, over)
    assert_array_equal(found.labels, labels)
    assert_array_equal(found.is_reliable, kept)
    assert kept.mean() == pytest.approx(1 - share, abs=0.02)


def test_percentiles_are_numpys():
    rng = np.random.default_rng(1)
    values = rng.normal(size=97).astype(np.float32)
    groups = rng.choice([0, 1, 3], size=97).astype(np.int32)
    for fraction in (0.0, 0.37, 0.8, 1.0):
        found = reliability.percentiles(values, groups, 4, jnp.float32(fraction))
        for group in (0, 1, 3):
            expected = np.percentile(values[groups == group], 100 * fraction)
            assert_allclose(found[group], expected, rtol=1e-4, atol=1e-5)
        assert np.isfinite(found).all()


def test_equal_entropies_are_all_kept():
    """A network that is sure of everything."""
    x = np.zeros((1, 2, 2, 2), np.float32)
    x[..., 0] = 1e4
    assert reliability.reliable(x, jnp.float32(0.2), "all").is_reliable.all()


def test_the_unreliable_share_falls_to_0():
    steps = jnp.float32(8)
    shares = [float(reliability.unreliable_share(jnp.float32(0.2), t, steps)) for t in (0, 4, 8)]
    assert shares == pytest.approx([0.2, 0.1, 0.0])


def test_a_percentile_of_all_pixels_can_leave_out_the_whole_foreground():
    """2 % of the pixels are cracks, less sure than every other pixel."""
    x = np.zeros((1, 10, 10, 2), np.float32)
    x[..., 0] = np.linspace(3, 6, 100).reshape(1, 10, 10)
    x[0, 4, :2, 1] = x[0, 4, :2, 0] + [0.5, 0.6]
    crack = np.zeros((1, 10, 10), bool)
    crack[0, 4, :2] = True
    every, of_class = (
        np.asarray(reliability.reliable(x, jnp.float32(0.2), over).is_reliable)
        for over in ("all", "class")
    )
    assert not every[crack].any()
    assert of_class[crack].sum() == 1
    assert abs(int(every.sum()) - int(of_class.sum())) <= 1


# Losses


@pytest.mark.parametrize("form", ["cross_entropy", "dice", "cross_entropy_and_dice"])
def test_the_unlabeled_loss_and_its_gradient_equal_numpy(form):
    x, labels = logits(2, 3), np.random.default_rng(3).integers(3, size=(B, SIDE, SIDE))
    labels[np.random.default_rng(4).uniform(size=labels.shape) < 0.3] = IGNORE
    labels = labels.astype(np.int32)
    value, gradient = jax.value_and_grad(u2pl_terms.unlabeled_loss)(x, labels, form)
    assert relative_difference(value, oracle.unlabeled(x, labels, form)) <= 1e-5
    indices = np.random.default_rng(5).permutation(x.size)[:24]
    numeric = oracles.numeric_gradient(
        lambda y: oracle.unlabeled(y, labels, form), x, indices, 1e-4
    )
    assert relative_difference(np.asarray(gradient).reshape(-1)[indices], numeric) <= 1e-5
    nothing = np.full_like(labels, IGNORE)
    assert u2pl_terms.unlabeled_loss(x, nothing, form) == 0


def test_hard_pixels_are_a_share_of_the_batch():
    x, labels = logits(2, 3), np.random.default_rng(3).integers(3, size=(B, SIDE, SIDE))
    labels = labels.astype(np.int32)
    hard = u2pl_terms.labeled_loss(x, labels, "cross_entropy", 0.01, 0.25)
    expected = oracles.ohem_cross_entropy(x, labels, 0.01, x.size // 3 // 4)
    assert relative_difference(hard, expected) <= 1e-5
    plain = u2pl_terms.labeled_loss(x, labels, "cross_entropy", 1.0, 0.25)
    assert float(hard) > float(plain)
    both = u2pl_terms.labeled_loss(x, labels, "cross_entropy_and_dice", 0.01, 0.25)
    dice = 2 * float(both) - float(hard)
    assert dice == pytest.approx(float(oracle.unlabeled(x, labels, "dice")), rel=1e-5)


# Sets and banks


def teaching(classes, is_reliable=None, seed=10):
    """A teacher's outputs of random pixels; a few labels are missing."""
    rng = np.random.default_rng(seed)
    of_labeled, of_unlabeled = (
        Outputs(
            logits(seed + n, classes)[None],
            {"projection": rng.normal(size=(1, B, SMALL, SMALL, D)).astype(np.float32)},
        )
        for n in range(2)
    )
    labels = rng.integers(classes, size=(B, SIDE, SIDE)).astype(np.int32)
    labels[0, :2, :4] = IGNORE
    found = reliability.reliable(of_unlabeled.logits[0], jnp.float32(0.4), "all")
    target = region_mixing.Target(
        jnp.where(found.is_reliable, found.labels, IGNORE),
        jax.nn.softmax(of_unlabeled.logits[0]).max(-1),
    )
    region = jnp.zeros((B, SIDE, SIDE), bool).at[:, 2:6, 2:6].set(True)
    _, mixed = region_mixing.mixed("cutmix", region, jnp.zeros((B, SIDE, SIDE, 1)), target)
    return contrast.Teaching(of_labeled, of_unlabeled, labels, found.is_reliable, target, mixed)


def options(ranks):
    sizes = {"anchors": 6, "negatives": 7, "bank_size": 12, "bank_keys": 4}
    return settings_of(low_rank=ranks[0], high_rank=ranks[1], **sizes).method


def filled_banks(classes, rows, seed=20):
    banks = np.random.default_rng(seed).normal(size=(classes, 12, D)).astype(np.float32)
    banks /= np.linalg.norm(banks, axis=-1, keepdims=True)
    banks[:, rows:] = 0
    return banks


@functools.cache
def prepare(ranks):
    return jax.jit(functools.partial(contrast.prepare, options=options(ranks)))


def prepared(classes, ranks, starts=True, rows=9, threshold=0.3):
    given = teaching(classes)
    banks = filled_banks(classes, rows).reshape(-1, D)
    places = jnp.full(classes, rows, jnp.int32)
    made = prepare(ranks)(KEY, given, banks, places, jnp.asarray(starts), jnp.float32(threshold))
    return given, made


def at_projection(x):
    """[B, SIDE, SIDE, ...] at the pixels of the projection, [n, ...]."""
    step = SIDE // SMALL
    small = np.asarray(x)[:, ::step, ::step]
    return small.reshape(-1, *small.shape[3:])


def as_set(members):
    """Indices of interleaved pixels as ("labeled" | "unlabeled", pixel)."""
    pixels = SMALL * SMALL
    found = set()
    for index in np.flatnonzero(members):
        image, pixel = divmod(index, pixels)
        number, part = divmod(image, 2)
        found.add((("labeled", "unlabeled")[part], number * pixels + pixel))
    return found


@pytest.mark.parametrize(("classes", "ranks"), [(2, (1, 2)), (4, (2, 4)), (5, (3, 5)), (4, (1, 3))])
def test_every_set_equals_the_oracle(classes, ranks):
    given, made = prepared(classes, ranks)
    p = [at_projection(oracle.softmax(o.logits[0])) for o in (given.labeled, given.unlabeled)]
    labels, sure = at_projection(given.labels), at_projection(given.is_reliable)
    pseudo = at_projection(given.unlabeled.logits[0]).argmax(-1)
    positives, negatives = oracle.sets(p[0], labels, p[1], pseudo, sure, 0.3, *ranks)
    z = np.stack([given.labeled.heads["projection"][0], given.unlabeled.heads["projection"][0]])
    z = z.reshape(2, -1, D)
    for c in range(classes):
        assert as_set(made.negatives[c]) == negatives[c]
        assert {kind for kind, _ in negatives[c]} == {"labeled", "unlabeled"}
        members = [z[("labeled", "unlabeled").index(kind)][j] for kind, j in positives[c]]
        assert_allclose(made.positives[c], np.mean(members, axis=0), rtol=1e-5, atol=1e-6)

    # Anchors: the pseudo-labels and probabilities are those of the mixed images.
    mixed_labels = at_projection(given.mixed.labels)
    mixed_p = np.zeros((len(mixed_labels), classes))
    has = mixed_labels != IGNORE
    mixed_p[has, mixed_labels[has]] = at_projection(given.mixed.probability)[has]
    anchors, _ = oracle.sets(p[0], labels, mixed_p, mixed_labels, has, 0.3, *ranks)
    for c in range(classes):
        assert as_set(made.anchors[c]) == anchors[c]
        assert set(np.asarray(made.drawn[c])) <= set(np.flatnonzero(made.anchors[c]))
        assert (np.asarray(made.rows[c]) < 9).all()


def test_two_classes_with_the_published_ranks_would_have_no_unlabeled_negative():
    _, made = prepared(2, (3, 20))
    kinds = {kind for c in range(2) for kind, _ in as_set(made.negatives[c])}
    assert "unlabeled" not in kinds


@pytest.mark.parametrize("classes", [2, 4])
def test_the_contrastive_term_and_its_gradient_equal_the_oracle(classes):
    """Also with a class whose bank is empty and one without anchors."""
    _, made = prepared(classes, contrast_sets.ranks_for(classes))
    features = np.random.default_rng(30).normal(size=(2 * B, SMALL, SMALL, D)).astype(np.float32)
    empty = made._replace(filled=made.filled.at[0].set(0))
    none = made._replace(anchors=made.anchors.at[classes - 1].set(False))
    ours = jax.jit(jax.value_and_grad(contrast.term), static_argnums=2)
    for case, counted in ((made, ()), (empty, (0,)), (none, (classes - 1,))):
        value, gradient = ours(features, case, 0.5)
        is_counted = np.array([c not in counted for c in range(classes)])

        def theirs(x, is_counted=is_counted):
            return oracle.contrast(
                x.reshape(-1, D),
                np.asarray(made.drawn),
                np.asarray(made.positives),
                np.asarray(made.banks),
                np.asarray(made.rows),
                is_counted,
                0.5,
            )

        assert relative_difference(value, theirs(features)) <= 1e-5
        assert float(value) > 0.5
        indices = np.random.default_rng(6).permutation(features.size)[:24]
        numeric = oracles.numeric_gradient(theirs, features, indices, 1e-4)
        assert relative_difference(np.asarray(gradient).reshape(-1)[indices], numeric) <= 1e-4


def test_teacher_and_banks_have_no_gradient_through_the_term():
    _, made = prepared(4, (2, 4))
    features = jnp.zeros((2 * B, SMALL, SMALL, D))  # zero vectors have the cosine 0
    value, gradient = jax.value_and_grad(contrast.term)(features, made, 0.5)
    assert float(value) == pytest.approx(np.log(1 + 7), rel=1e-5)
    assert np.isfinite(gradient).all()


def test_what_is_written_are_negatives_of_the_class_in_a_ring():
    given, made = prepared(4, (2, 4), rows=11)
    z = np.stack([given.labeled.heads["projection"][0], given.unlabeled.heads["projection"][0]], 1)
    z = z.reshape(-1, D)
    z = z / np.linalg.norm(z, axis=-1, keepdims=True)
    at = np.asarray(made.write.at).reshape(4, 4)
    rows = np.asarray(made.write.rows).reshape(4, 4, D)
    for c in range(4):
        count = min(4, int(made.negatives[c].sum()))
        assert_array_equal(at[c, :count], c * 12 + (11 + np.arange(count)) % 12)
        assert (at[c, count:] == 4 * 12).all()
        assert int(made.places[c]) == (11 + count) % 12
        allowed = z[np.asarray(made.negatives[c])]
        found = [np.abs(allowed - row).max(1).argmin() for row in rows[c, :count]]
        assert len(set(found)) == count
        for row, place in zip(rows[c, :count], found, strict=True):
            assert_allclose(row, allowed[place], rtol=1e-5, atol=1e-6)


def test_nothing_is_written_during_warm_up():
    _, made = prepared(4, (2, 4), starts=False)
    assert (np.asarray(made.write.at) == 4 * 12).all()
    assert_array_equal(made.places, [9] * 4)


def test_banks_are_read_where_they_are_filled():
    banks = np.array(filled_banks(3, 12))
    banks[0] = 0
    banks[1, 3:] = 0
    read, filled = memory_bank.banks(banks.reshape(-1, D), 3)
    assert_array_equal(read, banks)
    assert_array_equal(filled, [0, 3, 12])
    drawn = np.asarray(memory_bank.draw(KEY, filled, (5, 40)))
    assert (drawn[0] == 0).all()
    assert set(drawn[1].reshape(-1)) == {0, 1, 2}
    assert set(drawn[2].reshape(-1)) == set(range(12))


def test_draws_are_uniform_over_the_members():
    members = np.zeros((2, 50), bool)
    members[0, [3, 17, 49]] = True
    drawn = np.asarray(contrast_sets.draw(KEY, members, 3000))
    values, counts = np.unique(drawn[0], return_counts=True)
    assert_array_equal(values, [3, 17, 49])
    assert counts.min() > 900
    assert (drawn[1] < 50).all()


# Mixing


@pytest.mark.parametrize("kind", ["none", "cutmix", "cutout", "classmix"])
def test_images_and_targets_are_mixed_alike(kind):
    count = 6
    labels = np.random.default_rng(0).integers(4, size=(count, 8, 8)).astype(np.int32)
    labels[0] = 2  # one class alone: the rounded half is none of it
    images = np.random.default_rng(1).normal(size=(count, 8, 8, 3)).astype(np.float32)
    target = region_mixing.Target(labels, images[..., 0])
    region = np.asarray(region_mixing.regions(kind, KEY, labels, 4, 1.0))
    image, mixed = region_mixing.mixed(kind, region, images, target)
    other = np.zeros_like(images) if kind == "cutout" else np.roll(images, -1, 0)
    assert_array_equal(image, np.where(region[..., None], other, images))
    other = np.full_like(labels, IGNORE) if kind == "cutout" else np.roll(labels, -1, 0)
    assert_array_equal(mixed.labels, np.where(region, other, labels))
    if kind == "none":
        assert not region.any()
    elif kind != "classmix":
        assert_allclose(region.mean((1, 2)), 0.5, atol=0.1)
    else:
        assert region[0].all()
        for of_image, where in zip(labels[1:], region[1:], strict=True):
            changed = {c: where[of_image == c] for c in np.unique(of_image)}
            assert all(x.all() or not x.any() for x in changed.values())
            assert sum(not x.any() for x in changed.values()) == len(changed) // 2
    some = np.asarray(region_mixing.regions(kind, KEY, np.tile(labels, (20, 1, 1)), 4, 0.5))
    if kind != "none":
        assert 0.35 < some.any((1, 2)).mean() < 0.65


@pytest.mark.parametrize(("side", "small"), [(8, 4), (66, 17), (10, 3), (5, 2), (100, 4)])
def test_labels_are_read_at_the_pixels_of_the_projection(side, small):
    """Sides that the stride does not divide, and sides of two lengths."""
    classes = 2
    given = teaching(classes)

    def resized(x):
        return np.resize(np.asarray(x), (B, side, 8, *np.shape(x)[3:]))

    def outputs(old):
        features = np.zeros((1, B, small, SMALL, D), np.float32)
        return Outputs(resized(old.logits[0])[None], {"projection": features})

    given = contrast.Teaching(
        outputs(given.labeled),
        outputs(given.unlabeled),
        resized(given.labels),
        resized(given.is_reliable),
        region_mixing.Target(*map(resized, given.target)),
        region_mixing.Target(*map(resized, given.mixed)),
    )
    empty = jnp.zeros((classes * 12, D)), jnp.zeros(classes, jnp.int32)
    shapes = jax.eval_shape(
        functools.partial(contrast.prepare, options=options((1, 2))),
        *(KEY, given, *empty, jnp.asarray(True), jnp.float32(0.3)),
    )
    assert shapes.anchors.shape == shapes.negatives.shape == (classes, 2 * B * small * SMALL)


# Settings


def settings_of(classes=3, **changes):
    settings = tiny.config("u2pl")
    settings.data.classes = classes
    settings.method = dataclasses.replace(settings.method, **changes)
    return settings


def test_ranks_follow_the_number_of_classes():
    found = {classes: contrast_sets.ranks_for(classes) for classes in (2, 3, 4, 5, 21)}
    assert found == {2: (1, 2), 3: (1, 3), 4: (2, 4), 5: (3, 5), 21: (3, 21)}


@pytest.mark.parametrize(
    ("classes", "changes", "message"),
    [
        (
            2,
            {"low_rank": 3, "high_rank": 20},
            r"low_rank = 3: must be 1 to 1 for 2 classes.* or 0 ",
        ),
        (4, {"low_rank": 3, "high_rank": 20}, r"high_rank = 20: must be 4 to 4 for 4 classes"),
        (4, {"low_rank": 2, "high_rank": 2}, r"high_rank = 2: must be 3 to 4 for 4 .*, or 0 for 4"),
        (3, {"unreliable": 1.0}, r"unreliable = 1.0: must be in \(0, 1\)"),
        (3, {"bank_keys": 9, "bank_size": 8}, r"bank_keys = 9: must be at most .*bank_size = 8"),
        (
            3,
            {"warm_up": 6},
            r"warm_up = 6: must be below train.steps = 6, such as 1, 10% of the steps",
        ),
        (
            3,
            {"loss": "dice", "ohem_threshold": 0.7},
            r"ohem_threshold = 0.7: must be 1 with .*dice",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused(classes, changes, message):
    with pytest.raises(ConfigError, match=message):
        config_lib.validate(settings_of(classes, **changes))


def test_ranks_are_not_asked_for_without_contrast_or_before_the_classes_are_known():
    config_lib.validate(settings_of(2, low_rank=3, high_rank=20, weight_contrast=0.0))
    unknown = settings_of(0, low_rank=3, high_rank=20)
    config_lib.validate(unknown)
    with pytest.raises(ConfigError, match=r"low_rank = 3: must be 1 to 1 for 2 classes"):
        config_lib.with_classes(unknown, ("background", "crack"))


def test_one_image_cannot_be_mixed_with_another():
    settings = settings_of()
    settings.train.batch_labeled = settings.train.batch_unlabeled = 1
    with pytest.raises(ConfigError, match=r"mixing = 'cutmix': takes regions .* a batch has 1"):
        config_lib.validate(settings)
    settings.method.mixing = "cutout"
    config_lib.validate(settings)


def test_every_piece_of_a_batch_writes_into_the_banks():
    fits, too_many = (settings_of(bank_keys=keys, bank_size=8) for keys in (4, 5))
    fits.train.accumulate = too_many.train.accumulate = 2
    config_lib.validate(fits)
    message = r"bank_keys = 5: must be at most method.bank_size = 8 / train.accumulate = 2"
    with pytest.raises(ConfigError, match=message):
        config_lib.validate(too_many)


def test_two_classes_or_unknown_ones_have_a_percentile_of_each_pseudo_label():
    found = {
        name: train.build(dataset=name, method="u2pl") for name in ("neu", "crackforest", "folder")
    }
    assert {name: (c.data.classes, c.method.percentile) for name, c in found.items()} == {
        "neu": (4, "all"),
        "crackforest": (2, "class"),
        "folder": (0, "class"),
    }


def test_warm_up_is_scaled_to_the_run():
    assert train.build(dataset="neu", method="u2pl", variant="small").method.warm_up == 80


# Whole steps


def loss_of(settings, step, rows=6):
    """A compiled loss of a step with partly filled banks."""
    method = methods.build(settings)
    params, state = method.init(0)
    memory = method.memory()
    for array in memory.values():
        classes, size = settings.data.classes, settings.method.bank_size
        banks = array.reshape(classes, size, -1)
        drawn = np.random.default_rng(0).normal(size=banks.shape)
        banks[:, :rows] = (drawn / np.linalg.norm(drawn, axis=-1, keepdims=True))[:, :rows]
    views = views_of(method, jax.random.key(2))
    inputs = inputs_of(method, params, state, views, jax.random.key(1), step)
    inputs = inputs._replace(memory=memory)
    gradient = jax.jit(
        jax.value_and_grad(
            lambda p: (lambda r: (r.loss, r))(method.loss(inputs._replace(params=p))), has_aux=True
        )
    )
    (_, result), gradients = gradient(params)
    return method, inputs, result, gradients


def full():
    """All options, of few channels, without warm-up."""
    return settings_of(
        warm_up=0,
        projection=8,
        bank_size=16,
        bank_keys=8,
        anchor_threshold=0.0,
        weight_fcn=0.4,
        ohem_threshold=0.7,
        ohem_kept=0.1,
        percentile="class",
        mixing="classmix",
        mixing_probability=1.0,
    )


@pytest.fixture(scope="module")
def step():
    return loss_of(full(), 3)


def test_the_loss_is_the_sum_of_its_terms(step):
    _, inputs, result, gradients = step
    parts = {name: float(value) for name, value in result.metrics.items()}
    total = parts["supervised"] + 0.4 * parts["fcn"] + parts["pseudo"] + 0.1 * parts["contrast"]
    assert float(result.loss) == pytest.approx(total, rel=1e-5)
    assert parts["contrast"] > 1
    for name in ("projection", "fcn"):
        sizes = jax.tree.map(lambda g: np.abs(g).max(), gradients["heads"][name])
        assert sizes["output"]["kernel"] > 0
    assert set(result.state) == set(inputs.state)
    for c in range(3):
        assert parts[f"bank_{c}"] == 6
        assert parts[f"anchors_{c}"] > 0
        assert 0 <= parts[f"kept_{c}"] <= 1


def test_the_sets_of_a_step_are_those_of_its_teacher(step):
    """From the teacher's outputs, with numpy: the numbers that are logged."""
    method, inputs, result, _ = step
    network, teacher = method.predictor("").network, inputs.state["teacher"]
    shown = {name: inputs.views[name]["image"] for name in ("labeled", "unlabeled")}
    p = {name: oracle.softmax(network.main_logits(teacher, image)) for name, image in shown.items()}
    labels = np.asarray(inputs.views["labeled"]["mask"])
    share = 0.2 * (1 - 3 / 6)
    pseudo, sure = oracle.reliable(np.log(p["unlabeled"]), share, "class")
    low, high = contrast_sets.ranks_for(3)
    flat = {name: x[:, ::4, ::4].reshape(-1, 3) for name, x in p.items()}
    _, negatives = oracle.sets(
        flat["labeled"],
        labels[:, ::4, ::4].reshape(-1),
        flat["unlabeled"],
        pseudo[:, ::4, ::4].reshape(-1),
        sure[:, ::4, ::4].reshape(-1),
        0.0,
        low,
        high,
    )
    for c in range(3):
        # A pixel on a percentile may be on either side of it in float32.
        assert abs(int(result.metrics[f"negatives_{c}"]) - len(negatives[c])) <= 1
        pixels = (pseudo == c).sum()
        shares = sure[pseudo == c].mean() if pixels else 0
        assert float(result.metrics[f"kept_{c}"]) == pytest.approx(shares, abs=1.5 / max(pixels, 1))


def test_before_warm_up_is_over_only_labeled_images_count(step):
    settings = full()
    settings.method.warm_up = 4
    method, inputs, result, _ = loss_of(settings, 3)
    parts = {name: float(value) for name, value in result.metrics.items()}
    assert float(result.loss) == pytest.approx(parts["supervised"] + 0.4 * parts["fcn"], rel=1e-5)
    assert (np.asarray(result.writes["negatives"].at) == 3 * 16).all()
    moved = jax.tree.map(lambda x: x + 1, inputs.params)
    traced = traced_hyperparameters(method)
    for number, share in ((3, 0.0), (4, 0.0), (5, 0.5)):
        after = method.after_update(moved, inputs.state, jnp.asarray(number), traced)
        old, new = (tree["params"]["heads"] for tree in (inputs.state["teacher"], after["teacher"]))
        jax.tree.map(
            lambda a, b, share=share: assert_allclose(b, a + 1 - share, rtol=1e-5), old, new
        )


def test_without_contrast_there_is_neither_head_nor_bank():
    settings = settings_of(weight_contrast=0.0)
    method = methods.build(settings)
    params, state = method.init(0)
    assert "heads" not in params
    assert set(state) == {"batch_stats", "teacher"}
    assert method.memory() == {}


def test_bfloat16_takes_a_step_and_both_pieces_of_a_batch_write_into_the_banks():
    settings = full()
    settings.network.dtype, settings.method.bank_size = "bfloat16", 24
    settings.train.accumulate = 2
    step, (state, *rest) = step_and_inputs(config_lib.validate(settings))
    state, metrics = step(state, *rest)
    assert int(state.step) == 1
    assert np.isfinite(float(metrics["loss"]))
    banks = np.asarray(state.memory["negatives"]).reshape(3, 24, 8)
    lengths = np.linalg.norm(banks, axis=-1)
    is_filled = np.abs(lengths - 1) < 1e-2
    assert (is_filled | (lengths < 1e-6)).all()
    assert_array_equal(is_filled.sum(1), state.method_state["bank_places"])
    assert is_filled.sum() > 24  # more than one piece can write
    assert_array_equal(is_filled, np.sort(is_filled, axis=1)[:, ::-1])


def test_four_devices_compute_what_one_does():
    """The percentile, the draws and the banks are over the images of all devices."""
    results = []
    with jax.enable_x64(True):
        settings = full()
        settings.network.dtype = "float64"
        settings.method.mixing = "cutmix"
        for devices in (1, 4):
            shards = sharding.over_devices(devices)
            step, (state, *rest) = step_and_arguments(settings, shards)
            banks = np.random.default_rng(0).normal(size=(3, 16, 8)).astype(np.float32)
            banks[:, 12:] = 0
            state = dataclasses.replace(
                state,
                memory=jax.device_put({"negatives": banks.reshape(-1, 8)}, shards.replicated),
            )
            results.append(jax.device_get(step(state, *rest)))
    (one, one_parts), (four, four_parts) = results
    assert float(one_parts["contrast"]) > 1
    jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=0, atol=1e-9), one.params, four.params)
    assert_array_equal(one.method_state["bank_places"], four.method_state["bank_places"])
    assert_allclose(one.memory["negatives"], four.memory["negatives"], atol=1e-6)
    assert (one.memory["negatives"] != banks.reshape(-1, 8)).any()
    for name, value in one_parts.items():
        assert_allclose(value, four_parts[name], rtol=1e-8, atol=1e-12, err_msg=name)
