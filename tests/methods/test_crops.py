"""Every method takes views that are smaller than the images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import tiny
from uaps_jax import config as c
from uaps_jax import methods
from uaps_jax.methods.base import Inputs
from uaps_jax.training.step import traced_hyperparameters

CROP = (8, 8)


@pytest.mark.parametrize("name", sorted(c.METHODS))
def test_a_step_takes_views_of_the_size_of_the_crop(name):
    settings = tiny.config(name)
    for view in (settings.views.labeled, settings.views.unlabeled):
        view.crop_height, view.crop_width = CROP
        view.scale = 0.5
    method = methods.build(c.validate(settings))
    shape = (4, tiny.SIZE, tiny.SIZE)
    known = {"image": np.zeros((*shape, 3), np.uint8), "mask": np.zeros(shape, np.uint8)}
    batch = {
        stream: {field: known[field] for field in about.fields} | {"index": np.arange(4)}
        for stream, about in method.streams.items()
    }
    key, step, traced = jax.random.key(0), jnp.asarray(0), traced_hyperparameters(method)
    views = jax.eval_shape(method.views, key, batch)
    assert all(x.shape[1:3] == CROP for x in jax.tree.leaves(views) if x.ndim > 2)
    params, state = jax.eval_shape(lambda: method.init(0))
    inputs = Inputs(params, state, method.memory(), views, key, step, traced)
    assert jax.eval_shape(method.loss, inputs).loss.shape == ()
