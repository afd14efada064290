"""One of several processes that take some steps together; started by `test_processes`."""

import argparse

import jax
import jax.numpy as jnp
import numpy as np

from tests import tiny
from uaps_jax import methods
from uaps_jax.training import feed, optimizers, processes, sharding
from uaps_jax.training import state as state_lib
from uaps_jax.training.step import make_train_step, traced_hyperparameters


def main() -> None:
    """Takes the steps, and writes the parameters if it is the first."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", default="uaps")
    parser.add_argument("--dtype", default="float64")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--coordinator", default="")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--process", type=int, default=0)
    parser.add_argument("--out")
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", given.dtype == "float64")
    if given.processes > 1:
        processes.start(given.coordinator, given.processes, given.process)
    params = take(given.method, given.dtype, given.steps, sharding.over_devices())
    if processes.is_first():
        np.savez(given.out, *jax.tree.leaves(params))
    processes.wait("written")


def take(method_name, dtype, steps, shards):
    """The parameters after some steps on the tiny pools."""
    config = tiny.config(method_name, steps=steps)
    config.network.dtype = dtype
    method, pools = methods.build(config), tiny.pools()
    optimizer = optimizers.build(config.optimizer, method.parameter_groups)
    state = state_lib.create(method, optimizer, config.optimizer, config.train.seed)
    wide = jnp.dtype(dtype)
    state = jax.tree.map(
        lambda x: np.asarray(x, wide) if jnp.issubdtype(x.dtype, jnp.floating) else x, state
    )
    step_function = make_train_step(method, optimizer, config, shards)
    state, key, hyperparameters = sharding.place(
        (state, jax.random.key(0), traced_hyperparameters(method)), shards.replicated
    )
    for batch in feed.batches(config, method.streams, pools.train, 0, shards):
        state, _ = step_function(state, batch, key, hyperparameters)
    assert int(state.step) == steps
    return jax.tree.map(np.asarray, state.params)


if __name__ == "__main__":
    main()
