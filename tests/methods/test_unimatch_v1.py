"""UniMatch's and PrevMatch's objectives, dropped features and snapshots."""

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
from uaps_jax.losses import ramps
from uaps_jax.methods import snapshots, unimatch_v1
from uaps_jax.methods.strong_views import Target
from uaps_jax.models.network import Network
from uaps_jax.trees import named_leaves


def logits(*lead, seed):
    return np.random.default_rng(seed).normal(size=(*lead, 2, 4, 4, 3)).astype(np.float32)


def target(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=(2, 4, 4)).astype(np.int32)
    return Target(labels, rng.integers(2, size=labels.shape).astype(np.float32))


@pytest.mark.parametrize("form", ["dice", "cross_entropy"])
def test_unlabeled_terms_and_gradients_equal_numpy(form):
    strong, dropped = logits(2, seed=1), logits(seed=2)
    targets, of_weak = [target(3), target(4)], target(5)

    def ours(strong, dropped):
        l_s, l_fp = unimatch_v1.unlabeled_terms(
            list(strong[:, None]), targets, dropped[None], of_weak, form
        )
        return l_s + l_fp

    def theirs(strong, dropped):
        return oracle.unimatch(strong, targets, dropped, of_weak, form)

    value, gradients = jax.value_and_grad(ours, argnums=(0, 1))(strong, dropped)
    assert relative_difference(value, theirs(strong, dropped)) <= 1e-5
    for place, array in enumerate((strong, dropped)):
        indices = np.random.default_rng(6).permutation(array.size)[:24]

        def at(x, place=place):
            return theirs(*(x if n == place else a for n, a in enumerate((strong, dropped))))

        numeric = oracles.numeric_gradient(at, array, indices, 1e-4)
        assert relative_difference(np.asarray(gradients[place]).reshape(-1)[indices], numeric) <= (
            1e-5
        )


def test_dropped_features_are_those_of_the_weak_view():
    pyramid = [jnp.ones((6, 4, 4, 4, 64)), jnp.full((6, 4, 2, 2, 32), 3.0)]
    changed = unimatch_v1.with_dropped(jax.random.key(0), pyramid, 0.25)
    for before, after in zip(pyramid, map(np.asarray, changed), strict=True):
        assert after.shape == (6, 5, *before.shape[2:])
        assert_array_equal(after[:, :4], before)
        dropped = after[:, 4] / np.asarray(before[:, 1])
        assert set(np.unique(dropped.round(4))) == {0, np.float32(1.3333)}
        assert_array_equal(dropped, np.broadcast_to(dropped[:, :1, :1], dropped.shape))
        assert 0.15 < (dropped == 0).mean() < 0.35


@pytest.fixture(scope="module")
def prevmatch():
    settings = tiny.config("prevmatch")
    settings.method.snapshot_interval, settings.method.snapshots = 2, 3
    return methods.build(settings)


def spied(method, step, memory, monkeypatch):
    """The result of a step, the targets of each unlabeled loss, and the network's images."""
    params, state = method.init(0)
    views = views_of(method, jax.random.key(2))
    inputs = inputs_of(method, params, state, views, jax.random.key(1), step)
    targets, images = [], []
    terms, forward = unimatch_v1.unlabeled_terms, Network.train_outputs

    def seen_terms(strong_logits, strong_targets, dropped_logits, target, form):
        targets.append((target, strong_targets))
        return terms(strong_logits, strong_targets, dropped_logits, target, form)

    def seen_forward(network, variables, x, *rest, **options):
        images.append(x)
        return forward(network, variables, x, *rest, **options)

    monkeypatch.setattr(unimatch_v1, "unlabeled_terms", seen_terms)
    monkeypatch.setattr(Network, "train_outputs", seen_forward)
    result = method.loss(inputs if memory is None else inputs._replace(memory=memory))
    return result, targets, images[0], views


def test_a_strong_view_and_its_target_have_the_same_box(monkeypatch):
    settings = tiny.config("unimatch_v1")
    settings.method.cutmix, settings.method.threshold = 1.0, 0.4
    method = methods.build(settings)
    result, ((target, strong),), images, views = spied(method, 1, None, monkeypatch)
    images = np.asarray(images).reshape(4, 4, *images.shape[1:])  # image, batch part
    for number, of_view in enumerate(strong):
        name = f"strong_{number}"
        box, own = np.asarray(views[name]["box"]), np.asarray(views[name]["image"])
        assert box.any((1, 2)).all()
        for field in ("labels", "weight"):
            whole = np.asarray(getattr(target, field))
            expected = np.where(box, np.roll(whole, -1, 0), whole)
            assert_array_equal(getattr(of_view, field), expected)
        mixed = np.where(box[..., None], np.roll(own, -1, 0), own)
        assert_allclose(images[:, 2 + number], mixed)
    parts = {name: float(value) for name, value in result.metrics.items()}
    total = parts["supervised"] + 0.5 * parts["ramp"] * (parts["pseudo"] + parts["features"])
    assert float(result.loss) == pytest.approx(total, rel=1e-5)


def test_prevmatch_teaches_the_mixed_snapshots(prevmatch, monkeypatch):
    """All rows have one other network: its labels are those of the second loss."""
    other = prevmatch.init(1)
    variables = {"params": other[0], "batch_stats": other[1]["batch_stats"]}
    written = snapshots.writes(variables, jnp.asarray(2), 2, 3)
    memory = {name: np.repeat(write.rows, 3, axis=0) for name, write in written.items()}
    step = 3  # the middle of the run
    result, targets, _, views = spied(prevmatch, step, memory, monkeypatch)
    assert len(targets) == 2
    network = prevmatch.predictor("").network
    expected = network.main_logits(variables, views["weak"]["image"])
    assert_array_equal(targets[1][0].labels, expected.argmax(-1))
    confident = jax.nn.softmax(expected).max(-1) >= 0.9
    assert_array_equal(targets[1][0].weight, confident)
    parts = {name: float(value) for name, value in result.metrics.items()}
    total = (
        parts["supervised"]
        + 0.5 * parts["ramp"] * (parts["pseudo"] + parts["features"])
        + parts["previous"]
    )
    assert float(result.loss) == pytest.approx(total / 3, rel=1e-5)


def test_prevmatch_without_a_snapshot_is_half_of_unimatch(prevmatch, monkeypatch):
    result, _, _, _ = spied(prevmatch, 1, None, monkeypatch)
    parts = {name: float(value) for name, value in result.metrics.items()}
    total = parts["supervised"] + 0.5 * parts["ramp"] * (parts["pseudo"] + parts["features"])
    assert float(result.loss) == pytest.approx(total / 2, rel=1e-5)


def test_triangle_rises_and_falls():
    steps = jnp.asarray([0, 1, 2, 3, 4])
    assert_allclose(ramps.triangle(steps, jnp.asarray(4.0)), [0, 0.5, 1, 0.5, 0])


def test_snapshots_are_written_at_their_interval(prevmatch):
    params, state = prevmatch.init(0)
    variables = {"params": params, "batch_stats": state["batch_stats"]}
    memory = prevmatch.memory()
    network = prevmatch.predictor("").network
    rows = []
    for step in range(10):
        written = snapshots.writes(variables, jnp.asarray(step), 2, 3)
        assert written.keys() == memory.keys()
        (row,) = {int(write.at[0]) for write in written.values()}
        rows.append(row)
        for name, write in written.items():
            if row < 3:
                memory[name][row] = write.rows[0] * (1 + step)
    assert rows == [3, 3, 0, 3, 1, 3, 2, 3, 0, 3]
    available = [int(snapshots.stored(jnp.asarray(step), 2, 3)) for step in range(10)]
    assert available == [0, 0, 0, 1, 1, 2, 2, 3, 3, 3]
    taken = named_leaves(snapshots.take(memory, jnp.asarray(0), network))
    kernel = "params/encoder/block_0/conv_0/kernel"
    assert_allclose(taken[kernel], named_leaves(variables)[kernel] * 9, rtol=1e-6)


def test_drawn_snapshots_are_different_ones_that_exist():
    numbers = set()
    for seed in range(40):
        rows, weights = map(np.asarray, snapshots.draw(jax.random.key(seed), jnp.asarray(4), 8))
        used = rows[weights > 0]
        assert len(set(used.tolist())) == len(used)
        assert (used < 4).all()
        assert_allclose(weights.sum(), 1, rtol=1e-5)
        numbers.add(len(used))
    assert numbers == {1, 2, 3}
    rows, weights = snapshots.draw(jax.random.key(0), jnp.asarray(1), 8)
    assert_allclose(weights, [1, 0, 0])
    assert rows[0] == 0
    assert_array_equal(snapshots.draw(jax.random.key(0), jnp.asarray(0), 8)[1], 0)
