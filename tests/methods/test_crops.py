"""Every method takes views that are smaller than the images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import tiny
from uaps_jax import config as c
from uaps_jax import methods

CROP = (8, 8)


@pytest.mark.parametrize("name", sorted(c.METHODS))
def test_a_step_takes_views_of_the_size_of_the_crop(name):
    settings = tiny.config(name)
    for view in (settings.views.labeled, settings.views.unlabeled):
        view.crop_height, view.crop_width = CROP
        view.scale = 0.5
    method = methods.build(c.validate(settings))
    shape = (4, tiny.SIZE, tiny.SIZE)
    batch = {
        stream: {"image": np.zeros((*shape, 3), np.uint8), "index": np.arange(4)}
        | ({"mask": np.zeros(shape, np.uint8)} if pool == "labeled" else {})
        for stream, pool in method.streams.items()
    }
    key, step = jax.random.key(0), jnp.asarray(0)
    views = jax.eval_shape(method.views, key, batch)
    assert all(x.shape[1:3] == CROP for x in jax.tree.leaves(views))
    params, state = jax.eval_shape(lambda: method.init(0))
    weights = {k: jnp.asarray(v, jnp.float32) for k, v in method.weights.items()}
    value, _ = jax.eval_shape(method.loss, params, state, views, key, step, weights)
    assert value.shape == ()
