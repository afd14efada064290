"""Every method stays finite on batches without a learning signal, and uses no key twice."""

import dataclasses

import jax
import numpy as np
import pytest

from tests import tiny
from tests.training.test_loop import frozen
from uaps_jax import methods
from uaps_jax.config import METHODS
from uaps_jax.data import streams
from uaps_jax.labels import IGNORE
from uaps_jax.training import optimizers, sharding
from uaps_jax.training import state as state_lib
from uaps_jax.training.step import make_train_step, traced_hyperparameters

STEPS = 6

MASKS = {
    "all ignored": lambda masks: np.full_like(masks, IGNORE),
    "background alone": np.zeros_like,
    "one defect alone": np.ones_like,
    "a class absent": lambda masks: np.where(masks == 2, 0, masks),
}
IMAGES = {
    "black": np.zeros_like,
    "white": lambda images: np.full_like(images, 255),
    "as they are": lambda images: images,
}
# Networks that are sure of everything: their classifiers' weights times so much.
SURE = 1e3


@pytest.fixture(scope="module", params=sorted(METHODS))
def stepped(request):
    """A method's step, compiled once, and its start."""
    config = frozen(tiny.config(request.param, steps=STEPS))
    method, shards = methods.build(config), sharding.over_devices()
    optimizer = optimizers.build(config.optimizer, method.parameter_groups)
    state = state_lib.create(method, optimizer, config.optimizer, config.train.seed)
    step = make_train_step(method, optimizer, config, shards)

    def take(change_masks, change_images, factor):
        pools = {
            name: dataclasses.replace(
                pool,
                images=change_images(pool.images),
                masks=change_masks(pool.masks).astype(np.uint8),
            )
            for name, pool in tiny.pools().train.items()
        }
        batch = streams.batch(config, method.streams, pools, STEPS - 1)
        copied = jax.tree.map(np.array, state)
        sure = jax.tree_util.tree_map_with_path(
            lambda path, leaf: (
                leaf * np.float32(factor) if "classifier" in jax.tree_util.keystr(path) else leaf
            ),
            copied.params,
        )
        start = dataclasses.replace(copied, params=sure, step=np.int32(STEPS - 1))
        return step(
            sharding.place(start, shards.replicated),
            sharding.place(batch, shards.batch),
            sharding.place(jax.random.key(0), shards.replicated),
            sharding.place(traced_hyperparameters(method), shards.replicated),
        )

    return take


@pytest.mark.parametrize(
    ("masks", "images", "factor"),
    [
        *((masks, "as they are", factor) for masks in MASKS for factor in (1.0, SURE)),
        ("all ignored", "black", SURE),
        ("background alone", "white", 1.0),
    ],
)
def test_a_step_is_finite_and_is_taken(stepped, masks, images, factor):
    with jax.debug_key_reuse(True):
        state, measured = stepped(MASKS[masks], IMAGES[images], factor)
    assert all(np.isfinite(value) for value in measured.values()), measured
    assert int(state.step) == STEPS  # a step that is not finite would have halted the run
    for path, leaf in jax.tree_util.tree_leaves_with_path((state.params, state.method_state)):
        if np.issubdtype(leaf.dtype, np.floating):
            assert np.isfinite(np.asarray(leaf)).all(), jax.tree_util.keystr(path)
