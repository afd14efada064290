"""The inputs of a method's step on the tiny pools."""

import jax
import jax.numpy as jnp
import numpy as np

from tests import tiny
from uaps_jax.methods import base
from uaps_jax.training.step import traced_hyperparameters


def batch_of(method, size=4):
    pools = tiny.pools().train
    made = {}
    for name, stream in method.streams.items():
        # Streams of one pool show different images.
        rows = np.arange(size) + (5 if name.endswith("_1") else 0)
        pool = pools[stream.pool]
        known = {"image": pool.images[rows], "mask": pool.masks[rows]}
        made[name] = {"index": rows.astype(np.int32)} | {f: known[f] for f in stream.fields}
    return made


def views_of(method, key):
    return jax.jit(method.views)(key, batch_of(method))


def inputs_of(method, params, state, views, key, step, hyperparameters=None):
    traced = hyperparameters or traced_hyperparameters(method)
    return base.Inputs(params, state, method.memory(), views, key, jnp.asarray(step), traced)
