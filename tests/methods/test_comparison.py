"""Every comparison method's objective against numpy, value and gradient, and what they share."""

import dataclasses
import functools
import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import method_oracles as oracle
from tests import oracles, tiny
from tests.compare import relative_difference
from tests.methods.steps import batch_of, inputs_of, views_of
from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.config import ConfigError
from uaps_jax.configs import train
from uaps_jax.configs.parts.views import photometric, view
from uaps_jax.labels import IGNORE
from uaps_jax.losses import segmentation
from uaps_jax.methods import (
    cct,
    cpcl,
    cps,
    dct,
    dueb,
    mean_teacher,
    passes,
    ppl,
    teacher,
    two_networks,
    ua_mt,
    ucc,
    unimatch_v1,
)
from uaps_jax.training.step import traced_hyperparameters

W = 0.7
CLASSES = 3


def logits(*lead, seed=0, scale=2.0):
    rng = np.random.default_rng(seed)
    return (scale * rng.normal(size=(*lead, 2, 4, 4, CLASSES))).astype(np.float32)


def labels():
    rng = np.random.default_rng(9)
    drawn = rng.integers(CLASSES, size=(2, 4, 4))
    drawn[rng.uniform(size=drawn.shape) < 0.2] = IGNORE
    return drawn.astype(np.int32)


def targets():
    """Labels of other images, half of which have none."""
    drawn = labels()[::-1].copy()
    drawn[0, :, ::2] = IGNORE
    return drawn


def noise(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(2, 5, 2, 4, 4, CLASSES)).astype(np.float32)


def spread(seed):
    return np.random.default_rng(seed).normal(size=(2, 2, 4, 4)).astype(np.float32)


def softplus(x):
    return np.log1p(np.exp(np.asarray(x, np.float64)))


@dataclasses.dataclass(frozen=True)
class Case:
    """An objective, its arrays by name, those with a gradient, and the oracle of both."""

    ours: object
    theirs: object
    arrays: dict
    free: tuple
    parts: tuple


def dueb_options(**changes):
    return dataclasses.replace(
        train.build(dataset="neu", method="dueb", variant="small").method, **changes
    )


DUEB_WEIGHTS = {
    "unlabeled": W,
    "aleatoric_labeled": 0.5,
    "aleatoric_unlabeled": 1.0,
    "energy_labeled": 0.5,
    "energy_unlabeled": 1.0,
}


def of_head(variance, form="released"):
    """What the objective takes, from the output of a head, `[2, B, H, W]`."""
    return dueb.variance_of(variance[..., None], form, variance.shape[2:])


def dueb_case(aleatoric, energy):
    weights = DUEB_WEIGHTS | dict.fromkeys(
        [f"aleatoric_{s}" for s in ("labeled", "unlabeled") if not aleatoric]
        + [f"energy_{s}" for s in ("labeled", "unlabeled") if not energy],
        0.0,
    )
    options = dueb_options(
        weight_aleatoric=(weights["aleatoric_labeled"], weights["aleatoric_unlabeled"]),
        weight_energy=(weights["energy_labeled"], weights["energy_unlabeled"]),
    )

    def ours(labeled, labeled_variance, teacher, mixed, mixed_variance):
        return dueb.objective(
            labeled,
            of_head(labeled_variance),
            labels(),
            teacher,
            mixed,
            of_head(mixed_variance),
            (noise(5), noise(6)),
            weights,
            options,
        )

    def theirs(labeled, labeled_variance, teacher, mixed, mixed_variance):
        # The noise carries no gradient to the variance: its scale is held where it was.
        return oracle.dueb(
            labeled,
            softplus(labeled_variance),
            labels(),
            teacher,
            mixed,
            softplus(mixed_variance),
            noise(5),
            noise(6),
            W,
            **{name: value for name, value in weights.items() if name != "unlabeled"},
        )

    arrays = {
        "labeled": logits(2, seed=1),
        "labeled_variance": spread(3),
        "teacher": logits(2, seed=2),
        "mixed": logits(2, seed=4),
        "mixed_variance": spread(7),
    }
    names = [
        f"{term}_{stream}"
        for term, on in (("aleatoric", aleatoric), ("energy", energy))
        for stream in ("labeled", "unlabeled")
        if on
    ]
    return Case(
        ours, theirs, arrays, ("labeled", "mixed"), ("supervised", "intersection", "union", *names)
    )


def _ppl(objective, form, labeled, mixed):
    return objective(labeled, labels(), mixed, targets(), form)


CASES = {
    "mean_teacher": Case(
        lambda labeled, student, target: mean_teacher.objective(
            labeled, labels(), student, target, W
        ),
        lambda labeled, student, target: oracle.mean_teacher(labeled, labels(), student, target, W),
        {"labeled": logits(seed=1), "student": logits(seed=2), "target": logits(seed=3)},
        ("labeled", "student"),
        ("supervised", "consistency"),
    ),
    "ua_mt": Case(
        lambda labeled, student, target, samples: ua_mt.objective(
            labeled, labels(), student, target, samples, W, 0.95
        ),
        lambda labeled, student, target, samples: oracle.ua_mt(
            labeled, labels(), student, target, samples, W, 0.95
        ),
        {
            "labeled": logits(seed=1),
            "student": logits(seed=2),
            "target": logits(seed=3),
            "samples": logits(4, seed=4),
        },
        ("labeled", "student"),
        ("supervised", "consistency", "kept"),
    ),
    "cct": Case(
        lambda labeled, unlabeled: cct.objective(labeled, unlabeled, labels(), W),
        lambda labeled, unlabeled: oracle.cct(labeled, unlabeled, labels(), W),
        {"labeled": logits(4, seed=1), "unlabeled": logits(4, seed=2)},
        ("labeled", "unlabeled"),
        ("supervised", "consistency"),
    ),
    "cps": Case(
        lambda labeled, unlabeled: cps.objective(labeled, unlabeled, labels(), W),
        lambda labeled, unlabeled: oracle.cps(labeled, unlabeled, labels(), W),
        {"labeled": logits(2, seed=1), "unlabeled": logits(2, seed=2)},
        ("labeled", "unlabeled"),
        ("supervised", "cross_unlabeled", "cross_labeled"),
    ),
    **{
        f"dct_{k}": Case(
            lambda labeled, plain, turned, k=k: dct.objective(
                labeled, labels(), plain, turned, jnp.asarray(k), W
            ),
            lambda labeled, plain, turned, k=k: oracle.dct(labeled, labels(), plain, turned, k, W),
            {"labeled": logits(seed=1), "plain": logits(seed=2), "turned": logits(seed=3)},
            ("labeled", "plain", "turned"),
            ("supervised", "consistency"),
        )
        for k in range(4)
    },
    "ucc": Case(
        lambda labeled, weak, strong: ucc.objective(labeled, labels(), weak, strong, W),
        lambda labeled, weak, strong: oracle.ucc(labeled, labels(), weak, strong, W),
        {"labeled": logits(2, seed=1), "weak": logits(2, seed=2), "strong": logits(2, seed=3)},
        ("labeled", "weak", "strong"),
        ("supervised", "pseudo", "uncertainty"),
    ),
    **{
        f"ppl_{form}": Case(
            functools.partial(_ppl, ppl.objective, form),
            functools.partial(_ppl, oracle.ppl, form),
            {"labeled": logits(seed=1), "mixed": logits(seed=2)},
            ("labeled", "mixed"),
            ("supervised", "pseudo"),
        )
        for form in ("cross_entropy", "dice", "cross_entropy_and_dice")
    },
    "cpcl": Case(
        lambda labeled, target, mixed: cpcl.objective(labeled, labels(), target, mixed, W),
        lambda labeled, target, mixed: oracle.cpcl(labeled, labels(), target, mixed, W),
        {"labeled": logits(2, seed=1), "target": logits(2, seed=2), "mixed": logits(2, seed=3)},
        ("labeled", "mixed"),
        ("supervised", "intersection", "union"),
    ),
    "dueb": dueb_case(True, True),
    "dueb_aleatoric": dueb_case(True, False),
    "dueb_energy": dueb_case(False, True),
}


@pytest.mark.parametrize("name", CASES)
def test_objective_and_gradient_equal_the_oracle(name):
    case = CASES[name]
    order = tuple(case.arrays)

    def ours(*arrays):
        return case.ours(**dict(zip(order, arrays, strict=True)))

    places = tuple(range(len(order)))
    arrays = tuple(case.arrays.values())
    value_and_grad = jax.jit(jax.value_and_grad(ours, argnums=places, has_aux=True))
    (total, parts), gradients = value_and_grad(*arrays)
    expected = case.theirs(**case.arrays)
    assert relative_difference(total, expected["total"]) <= 1e-5
    for part in case.parts:
        assert relative_difference(parts[part], expected[part]) <= 1e-5, part

    for place, array_name in enumerate(order):
        gradient = np.asarray(gradients[place])
        if array_name not in case.free:
            if "variance" not in array_name:  # a variance is moved by the depressor alone, below
                assert_array_equal(gradient, 0)
            continue

        def total_at(x, array_name=array_name):
            return case.theirs(**(case.arrays | {array_name: x}))["total"]

        indices = np.random.default_rng(1).permutation(gradient.size)[:24]
        numeric = oracles.numeric_gradient(total_at, case.arrays[array_name], indices, 1e-4)
        assert relative_difference(gradient.reshape(-1)[indices], numeric) <= 1e-5, array_name


def test_the_released_variance_is_moved_by_its_depressor_alone():
    case = CASES["dueb_aleatoric"]
    gradient = jax.jit(jax.grad(lambda s: case.ours(**(case.arrays | {"mixed_variance": s}))[0]))
    a = case.arrays["mixed_variance"]
    # d/da mean(e^softplus(a) - 1) = e^a / N for each of the two networks.
    assert_allclose(gradient(a), np.exp(a) / a[0].size, rtol=1e-5)


def repaired(name):
    options = dueb_options(form="repaired", energy_margins=(-2.0, -1.5))
    case = CASES["dueb"]

    def total(labeled, labeled_variance, teacher, mixed, mixed_variance):
        return dueb.objective(
            labeled,
            labeled_variance,
            labels(),
            teacher,
            mixed,
            mixed_variance,
            (noise(5), noise(6)),
            DUEB_WEIGHTS,
            options,
        )[1][name]

    return total, case.arrays


def repaired_oracle(name, arrays):
    inter, union, omega_inter, omega_union, _ = oracle.cpcl_pseudo_labels(arrays["teacher"])
    targets, omegas = (inter, union), (omega_inter, omega_union)
    both = range(2)
    match name:
        case "aleatoric_labeled":
            return sum(
                oracle.aleatoric_repaired(
                    arrays["labeled"][b], arrays["labeled_variance"][b], labels(), noise(5)[b]
                )
                for b in both
            )
        case "aleatoric_unlabeled":
            return sum(
                oracle.aleatoric_repaired(
                    arrays["mixed"][b],
                    arrays["mixed_variance"][b],
                    targets[b],
                    noise(6)[b],
                    omegas[b],
                )
                for b in both
            )
        case "energy_labeled":
            valid = labels() != IGNORE
            return sum(
                oracles.energy_hinge(arrays["labeled"][b], valid, ~valid & valid, -2.0, -1.5)
                for b in both
            )
        case "energy_unlabeled":
            agreed = inter != IGNORE
            return sum(
                oracles.energy_hinge(arrays["mixed"][b], agreed, ~agreed, -2.0, -1.5) for b in both
            )


@pytest.mark.parametrize(
    ("name", "moved"),
    [
        ("aleatoric_labeled", ("labeled", "labeled_variance")),
        ("aleatoric_unlabeled", ("mixed", "mixed_variance")),
        ("energy_labeled", ("labeled",)),
        ("energy_unlabeled", ("mixed",)),
    ],
)
def test_repaired_terms_of_dueb_equal_the_oracle(name, moved):
    total, arrays = repaired(name)
    value, gradients = jax.jit(
        jax.value_and_grad(lambda changed, rest: total(**changed, **rest)), static_argnums=()
    )(
        {k: v for k, v in arrays.items() if k in moved},
        {k: v for k, v in arrays.items() if k not in moved},
    )
    assert relative_difference(value, repaired_oracle(name, arrays)) <= 1e-5
    for key in moved:
        gradient = np.asarray(gradients[key])
        indices = np.random.default_rng(2).permutation(gradient.size)[:20]
        numeric = oracles.numeric_gradient(
            lambda x, key=key: repaired_oracle(name, arrays | {key: x}), arrays[key], indices, 1e-4
        )
        assert relative_difference(gradient.reshape(-1)[indices], numeric) <= 1e-5, key
        assert np.abs(gradient).max() > 0


def test_without_agreement_all_is_finite_and_the_intersection_adds_no_loss():
    case = CASES["dueb"]
    opposed = np.stack([logits(seed=2), -logits(seed=2)])
    opposed[0, ..., 0], opposed[1, ..., 1] = 50.0, 50.0
    arrays = case.arrays | {"teacher": opposed}
    for form in ("released", "repaired"):
        options = dueb_options(form=form)

        def loss(labeled, mixed, options=options, form=form):
            return dueb.objective(
                labeled,
                of_head(arrays["labeled_variance"], form),
                np.full_like(labels(), IGNORE),
                arrays["teacher"],
                mixed,
                of_head(arrays["mixed_variance"], form),
                (noise(5), noise(6)),
                DUEB_WEIGHTS,
                options,
            )

        (total, parts), gradients = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))(
            arrays["labeled"], arrays["mixed"]
        )
        assert np.isfinite(total)
        assert all(np.isfinite(g).all() for g in gradients)
        assert parts["kept"] == 0
        assert parts["intersection"] == 0


def test_pseudo_labels_of_cpcl_equal_the_oracle():
    for seed in range(5):
        stack = logits(2, seed=seed)
        labels, weights = jax.jit(cpcl.targets_of)(stack)
        inter, union, omega_inter, omega_union, w = oracle.cpcl_pseudo_labels(stack)
        assert_array_equal(labels, [inter, union])
        assert_allclose(weights, [omega_inter, omega_union], rtol=1e-5)
        ours = jax.jit(cpcl.disagreement, static_argnums=2)(*stack.argmax(-1), CLASSES)
        assert_allclose(ours, w, rtol=1e-4, atol=1e-6)


# Schedules


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.0), (1, 0.5), (9, 0.9), (99, 0.99), (999, 0.99)]
)
def test_the_teachers_decay(step, expected):
    assert float(teacher.decay(jnp.asarray(step), 0.99)) == pytest.approx(expected, abs=1e-6)
    assert oracle.ema_decay(step) == pytest.approx(expected)


def test_the_moving_average():
    old, new = logits(seed=1), logits(seed=2)
    ours = teacher.ema({"a": old}, {"a": new}, jnp.asarray(0.9))["a"]
    assert_allclose(ours, oracle.ema(old, new, 0.9), rtol=1e-5, atol=1e-6)


def test_mean_teacher_waits_and_ua_mt_raises_its_threshold():
    """The logged parts of a run show the schedule of its steps."""
    settings = importlib.import_module("uaps_jax.configs.neu_mean_teacher").get_config()
    assert (settings.method.delay, settings.method.ramp_interval * settings.method.ramp_length) == (
        1000,
        30_000,
    )
    short = train.build(dataset="neu", method="mean_teacher", variant="small").method
    assert (short.delay, short.ramp_length) == (24, 680)
    short = train.build(dataset="neu", method="ua_mt", variant="small").method
    assert short.ramp_length == 736
    assert oracle.ua_mt_threshold(0.1) == pytest.approx(np.log(2))


# Options


def test_a_repaired_normalizer_counts_the_classes():
    arrays = CASES["ua_mt"].arrays
    given = (arrays["labeled"], labels(), *(arrays[n] for n in ("student", "target", "samples")))
    released, repaired = (
        ua_mt.objective(*given, W, 0.95, form)[1]["consistency"]
        for form in ("released", "repaired")
    )
    assert float(released / repaired) == pytest.approx(CLASSES / 2, rel=1e-5)


def test_ucc_can_weigh_pixels():
    arrays = CASES["ucc"].arrays
    weak, strong = arrays["weak"], arrays["strong"]
    _, parts = jax.jit(ucc.objective, static_argnames="rectify")(
        arrays["labeled"], labels(), weak, strong, W, rectify="pixel"
    )
    divergence = (oracle.kl_map(strong[1], weak[0]), oracle.kl_map(weak[1], strong[0]))
    targets = (weak[1].argmax(-1), weak[0].argmax(-1))
    expected = 0.0
    for head, target, d in zip(strong, targets, divergence, strict=True):
        ce = (oracles.cross_entropy_map(head, target) * np.exp(-d)).mean()
        p, y = oracles.softmax(head), np.eye(CLASSES)[target]
        w = np.exp(-d)[..., None]
        shares = 2 * (w * p * y).sum((0, 1, 2)) / ((w * (p + y)).sum((0, 1, 2)) + 1e-7)
        expected += 0.5 * (ce + 1 - shares.mean())
    assert float(parts["pseudo"]) == pytest.approx(expected, rel=1e-5)


def test_detached_dct_has_the_value_and_half_of_each_gradient():
    arrays = CASES["dct_1"].arrays

    def loss(plain, turned, detach):
        return dct.objective(
            arrays["labeled"], labels(), plain, turned, jnp.asarray(1), W, detach=detach
        )[0]

    both = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)), static_argnums=2)
    free, free_gradients = both(arrays["plain"], arrays["turned"], False)
    held, held_gradients = both(arrays["plain"], arrays["turned"], True)
    assert float(held) == pytest.approx(float(free), rel=1e-6)
    for one, other in zip(held_gradients, free_gradients, strict=True):
        assert_allclose(one, 0.5 * np.asarray(other), rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("name", ["mean_teacher", "ua_mt"])
def test_a_teacher_in_evaluation_needs_averaged_statistics_and_gets_them(name):
    settings = tiny.config(name)
    settings.method.teacher_mode = "eval"
    with pytest.raises(ConfigError, match=r"method\.average_statistics = False: must be True"):
        config_lib.validate(settings)
    settings.method.average_statistics = True
    config_lib.validate(settings)
    method = methods.build(settings)
    params, state = method.init(0)
    moved = jax.tree.map(lambda s: s + 1, state["batch_stats"])
    after = method.after_update(
        params, state | {"batch_stats": moved}, jnp.asarray(1), traced_hyperparameters(method)
    )
    for one, other in zip(
        jax.tree.leaves(after["teacher"]["batch_stats"]),
        jax.tree.leaves(state["teacher"]["batch_stats"]),
        strict=True,
    ):
        assert_allclose(one, other + 0.5, rtol=1e-6)


def test_running_statistics_of_cpcl_see_labeled_unlabeled_and_mixed_images_in_turn(monkeypatch):
    settings = tiny.config("cpcl")
    method = methods.build(settings)
    params, state = method.init(0)
    views = views_of(method, jax.random.key(0))
    seen, real = [], two_networks.forward

    def watched(network, p, s, key, *batches):
        seen.append([np.asarray(batch) for batch in batches])
        return real(network, p, s, key, *batches)

    monkeypatch.setattr(two_networks, "forward", watched)
    method.loss(inputs_of(method, params, state, views, jax.random.key(1), 3))
    u_0, u_1 = views["unlabeled"]["image"], views["unlabeled_1"]["image"]
    mixed = np.where(np.asarray(views["mask"])[..., None], u_1, u_0)
    expected = [[views["labeled"]["image"]], [u_0, u_1], [mixed]]
    assert [len(batches) for batches in seen] == [1, 2, 1]
    for batches, wanted in zip(seen, expected, strict=True):
        for batch, image in zip(batches, wanted, strict=True):
            assert_array_equal(batch, image)


def test_a_variance_head_leaves_the_rest_of_the_network_as_it_is():
    plain, with_head = (methods.build(tiny.config(n)).init(3)[0] for n in ("cpcl", "dueb"))
    assert "heads" not in with_head  # released: it is a part of the state
    for one, other in zip(jax.tree.leaves(plain), jax.tree.leaves(with_head), strict=True):
        assert_array_equal(one, other)


# The whole methods


FAMILY = ("fixmatch", "augseg", "unimatch_v1", "prevmatch", "unimatch_v2", "dirichlet_match")
# `self_training` has one loss for both, `urn` and `seam` labeled images alone, see their own tests.
OTHERS = ("supervised", "self_training", "urn", "seam")
SEMI = [name for name in methods.METHODS if name not in OTHERS]
# BCP has no term of whole labeled images, PPL one mean over the pixels of both streams.
WITH_LABELED_TERM = [name for name in SEMI if name not in ("bcp", "ppl")]


def plain(name):
    """A tiny configuration without dropout and perturbation: a pass is a function of its input."""
    settings = tiny.plain(name)
    settings.network.dropout = (0.0, 0.0)
    settings.network.perturb_dropout = settings.network.noise_limit = 0.0
    settings.network.feature_dropout = (9.0, 9.0)
    if name == "ucc" or name in FAMILY:
        settings.method.cutmix = 0.0
    if name in ("fixmatch", "augseg", "unimatch_v2", "dirichlet_match"):
        settings.method.labeled_paste = "none"
    if name in ("unimatch_v1", "prevmatch"):
        settings.method.feature_dropout = 0.0
    if name in ("unimatch_v2", "dirichlet_match"):
        settings.method.channel_dropout = 0.0
    if name == "u2pl":
        settings.method.mixing = "none"
    if name == "dueb":
        settings.method.weight_aleatoric, settings.method.weight_energy = (0.0, 0.0), (0.0, 0.0)
    return settings


@pytest.mark.parametrize("name", WITH_LABELED_TERM)
def test_without_its_unlabeled_weight_a_method_is_supervised_learning(name):
    """Gradient of the labeled views, per decoder and network: that of the supervised loss."""
    settings = plain(name)
    method = methods.build(settings)
    params, state = method.init(0)
    key = jax.random.key(3)
    views = views_of(method, key)
    off = {
        n: v if n.startswith(("ramp", "delay", "ema", "steps")) else jnp.zeros_like(v)
        for n, v in traced_hyperparameters(method).items()
    }

    def loss(p):
        return method.loss(inputs_of(method, p, state, views, key, 5, off)).loss

    network = method.predictor("").network

    def supervised(p):
        if name == "dueb":
            p = dueb.with_frozen_heads(p, state)
        run = two_networks.forward if name in ("cps", "cpcl", "dueb") else passes.forward
        shown, options = ["labeled"], {}
        if name in FAMILY:  # common batch statistics
            options = {"joint": True}
            if name in ("unimatch_v1", "prevmatch"):
                shown.append("weak")
                options["change"] = functools.partial(unimatch_v1.with_dropped, probability=0.0)
            shown += [view for view in views if view.startswith("strong")]
        if name == "u2pl":
            shown, options = ["labeled", "unlabeled"], {"joint": True}
        images = [views[view]["image"] for view in shown]
        (outputs, *_), _ = run(network, p, state["batch_stats"], key, *images, **options)
        each = jax.vmap(segmentation.cross_entropy_and_dice, (0, None))(
            outputs.logits, views["labeled"]["mask"]
        )
        if name == "prevmatch":
            return each.mean() / 2
        return each.sum() if name in ("cps", "cpcl", "dueb", "ucc") else each.mean()

    value, ours = jax.jit(jax.value_and_grad(loss))(params)
    expected_value, theirs = jax.jit(jax.value_and_grad(supervised))(params)
    assert float(value) == pytest.approx(float(expected_value), rel=1e-5)
    largest = max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(theirs))
    for leaf, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert np.abs(leaf - other).max() <= 1e-5 * max(largest, 1e-3)


@functools.cache
def labeled_views(name):
    return views_of(methods.build(tiny.config(name)), jax.random.key(3))["labeled"]


@pytest.mark.parametrize("name", [name for name in SEMI if name != "ucc"])
def test_all_methods_but_ucc_see_the_same_labeled_views(name):
    expected, result = labeled_views("supervised"), labeled_views(name)
    assert_allclose(result["image"], expected["image"], atol=1e-5)
    assert_array_equal(result["mask"], expected["mask"])


def test_ucc_pastes_the_same_box_into_both_views_and_turns_neither():
    settings = tiny.config("ucc")
    settings.method.paste = 1.0
    settings.views.unlabeled = view()
    settings.method.strong = photometric()
    settings.views.labeled = view()
    method = methods.build(settings)
    batch = batch_of(method)
    views = views_of(method, jax.random.key(1))
    assert_array_equal(views["weak"]["image"], views["strong"]["image"])
    normalize = method.predictor("").normalize
    own, pasted = (np.asarray(normalize(batch[s]["image"])) for s in ("unlabeled", "labeled"))
    weak = np.asarray(views["weak"]["image"])
    from_labeled = (np.abs(weak - pasted) < 1e-5).all(-1)
    assert (from_labeled | (np.abs(weak - own) < 1e-5).all(-1)).all()
    assert_allclose(from_labeled.mean((1, 2)), 0.5, atol=0.08)


def test_the_networks_of_a_pair_differ_and_the_first_is_the_single_one():
    settings = tiny.config("cps")
    network = methods.build(settings).predictor("").network
    params = two_networks.init(network, 7)["params"]
    single = network.init(7)["params"]
    kernels = zip(jax.tree.leaves(params), jax.tree.leaves(single), strict=True)
    for both, one in kernels:
        assert_array_equal(both[0], one)
    kernel = params["encoder"]["block_0"]["conv_0"]["kernel"]
    assert np.abs(kernel[0] - kernel[1]).max() > 1e-3


def test_released_dueb_never_moves_its_variance_heads_and_the_repaired_form_does():
    for form, moves in (("released", False), ("repaired", True)):
        settings = tiny.config("dueb")
        settings.method.form, settings.method.samples = form, 2
        settings.optimizer.weight_decay = 0.1
        method = methods.build(settings)
        params, state = method.init(0)
        assert "variance" in (params if moves else state)["heads"]
        assert ("heads" in params) == moves
        key = jax.random.key(0)
        inputs = inputs_of(method, params, state, views_of(method, key), key, 9)

        def loss(p, method=method, inputs=inputs):
            result = method.loss(inputs._replace(params=p))
            return result.loss, result.state

        gradient, after = jax.jit(jax.grad(loss, has_aux=True))(params)
        if moves:
            assert np.abs(gradient["heads"]["variance"]["kernel"]).max() > 0
        else:
            jax.tree.map(assert_array_equal, after["heads"], state["heads"])
        variables = method.variables(params, state)
        assert "variance" in variables["params"]["heads"]


PUBLISHED = {
    # steps, learning rate, ramp saturation, plateau patience (UAPS's study, NEU-Seg)
    "mean_teacher": (35_341, 1e-3, 30_000, 40),
    "ua_mt": (17_371, 1e-3, 16_000, 40),
    "cct": (35_341, 2e-3, 30_000, 40),
    "cps": (47_141, 1e-3, 30_000, 50),
    "dct": (35_341, 1e-3, 30_000, 40),
    "ucc": (47_141, 1e-3, 30_000, 50),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_studys_settings_are_the_defaults(name):
    config = importlib.import_module(f"uaps_jax.configs.neu_{name}").get_config()
    method = config.method
    assert (
        config.train.steps,
        config.optimizer.learning_rate,
        method.ramp_interval * method.ramp_length,
        config.optimizer.plateau_patience,
    ) == PUBLISHED[name]
    assert method.weight == 0.1
    assert config.network.perturb_dropout == (0.3 if name == "cct" else 0.5)
