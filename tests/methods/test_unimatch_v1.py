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
from uaps_jax.methods import snapshots, unimatch_v1
from uaps_jax.methods.strong_views import Target
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


def test_prevmatch_equals_unimatch_without_a_snapshot(prevmatch):
    """Without a snapshot the loss is half that of UniMatch; with one, it moves."""
    unimatch = methods.build(tiny.config("unimatch_v1"))
    params, state = unimatch.init(0)
    views = views_of(unimatch, jax.random.key(2))
    key = jax.random.key(1)
    # PrevMatch draws one more key: the same dropout needs the first of its keys.
    both = [
        inputs_of(method, params, state, views, key, 1)._replace(key=used)
        for method, used in ((unimatch, jax.random.split(key, 2)[0]), (prevmatch, key))
    ]
    first = jax.jit(unimatch.loss)(both[0])
    second = jax.jit(prevmatch.loss)(both[1])
    assert_allclose(second.loss, first.loss / 2, rtol=1e-5)
    filled = {name: np.ones_like(array) for name, array in both[1].memory.items()}
    moved = jax.jit(prevmatch.loss)(both[1]._replace(memory=filled, step=jnp.asarray(9)))
    assert abs(float(moved.loss) - float(second.loss)) > 1e-3
    assert np.isfinite(moved.loss)


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
