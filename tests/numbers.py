"""Numbers by which two checkouts are compared: what training computes, for every method.

    python -m tests.numbers write --out=FOLDER
    python -m tests.numbers compare FOLDER OTHER

`write` runs in its own checkout: 20 steps on the tiny pools in float64, and the loss and gradients
of the first step in float32. `compare` prints the largest relative difference ||a - b|| / ||b|| of
every method's arrays, and how many predicted classes differ; its exit status is 1 where they
differ by more than `STEPS_AGREE` or `FIRST_AGREES`. The gradient of a bias in front of a batch
normalisation is zero but for rounding: ||b|| counts as `SMALLEST` of all gradients' norm at least.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np

from uaps_jax.training.checkpoints import formats

STEPS = 20
STEPS_AGREE, FIRST_AGREES = 1e-9, 1e-6
SMALLEST = 1e-3
METHODS = (
    "supervised",
    "mean_teacher",
    "ua_mt",
    "cct",
    "cps",
    "dct",
    "ucc",
    "uaps",
    "cpcl",
    "dueb",
)


def names_of(tree) -> dict[str, np.ndarray]:
    """Path -> array of every leaf of a tree."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
        for path, leaf in leaves
    }


def write_one(name: str, dtype: str, out: Path) -> None:
    """Writes the numbers of one method in one compute type."""
    jax.config.update("jax_enable_x64", dtype == "float64")
    jax.config.update("jax_platforms", "cpu")
    # Optimisations of the compiler reorder sums; without them two programs are comparable.
    jax.config.update("jax_disable_most_optimizations", True)
    import jax.numpy as jnp

    from tests import tiny
    from uaps_jax import methods
    from uaps_jax.training import feed, optimizers, sharding
    from uaps_jax.training import state as state_lib
    from uaps_jax.training.step import learn, make_train_step, traced_hyperparameters

    steps = STEPS if dtype == "float64" else 1
    config = tiny.config(name, steps=STEPS)
    config.optimizer.schedule = "plateau"  # the published one
    config.network.dtype = dtype
    method, pools, shards = methods.build(config), tiny.pools(), sharding.over_devices(1)
    optimizer = optimizers.build(config.optimizer, method.parameter_groups)
    state = state_lib.create(method, optimizer, config.optimizer, config.train.seed)
    wide = jnp.dtype(dtype)
    state = jax.tree.map(
        lambda x: np.asarray(x, wide) if jnp.issubdtype(x.dtype, jnp.floating) else x, state
    )
    state, key, weights = sharding.place(
        (state, jax.random.key(0), traced_hyperparameters(method)), shards.replicated
    )
    batches = feed.batches(config, method.streams, pools.train, 0, shards)
    result = {}
    if dtype == "float32":
        learnt = jax.jit(lambda s, b: learn(method, config, s, b, key, weights))(
            state, next(batches)
        )
        result = {"loss": np.asarray(learnt.loss), **names_of({"gradients": learnt.gradients})}
    else:
        step = make_train_step(method, optimizer, config, shards)
        for batch in batches:
            state, measured = step(state, batch, key, weights)
        assert int(state.step) == steps
        result = names_of({"params": state.params, "state": state.method_state})
        result["loss"] = np.asarray(measured["loss"])
        variables = method.variables(state.params, state.method_state)
        images = tiny.pools().val.images
        for predictor, function in method.predictors.items():
            result[f"classes/{predictor}"] = np.asarray(
                jax.jit(function)(variables, images).argmax(-1)
            )
    np.savez(out / f"{name}_{dtype}.npz", **result)


def renamed(arrays) -> dict[str, np.ndarray]:
    """The arrays by the names of this version."""
    return {
        formats.renamed(name.replace("state/", "method_state/", 1)): array
        for name, array in arrays.items()
    }


def compare(folder: Path, other: Path) -> bool:
    """Prints how two folders differ; whether they agree."""
    agree = True
    for file in sorted(folder.glob("*.npz")):
        one, two = (renamed(np.load(place / file.name)) for place in (folder, other))
        if one.keys() != two.keys():
            print(f"{file.stem}: only in one: {sorted(one.keys() ^ two.keys())}")
            agree = False
            continue
        limit = STEPS_AGREE if "float64" in file.stem else FIRST_AGREES
        largest, worst, flips = 0.0, "", 0
        everything = np.sqrt(
            sum(np.square(b.astype(np.float64)).sum() for n, b in two.items() if "gradients" in n)
        )
        for name, b in two.items():
            a = one[name]
            if name.startswith("classes/"):
                flips += int((a != b).sum())
                continue
            norm = max(np.linalg.norm(b.astype(np.float64)), SMALLEST * everything)
            apart = np.linalg.norm(a.astype(np.float64) - b) / (norm or 1.0)
            if not apart <= largest:
                largest, worst = float(apart), name
        agree &= largest <= limit
        print(
            f"{file.stem:24s} {len(two):4d} arrays, largest ||a - b|| / ||b|| {largest:.1e} "
            f"(limit {limit:.0e}) in {worst or '-'}; predicted classes that differ: {flips}"
        )
    return agree


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    kinds = parser.add_subparsers(dest="what", required=True)
    writing = kinds.add_parser("write")
    writing.add_argument("--out", type=Path, required=True)
    writing.add_argument("--methods", nargs="+", default=list(METHODS))
    writing.add_argument("--one", help="a method and a compute type, in this process")
    comparing = kinds.add_parser("compare")
    comparing.add_argument("folders", nargs=2, type=Path)
    given = parser.parse_args()
    if given.what == "compare":
        sys.exit(0 if compare(*given.folders) else 1)
    given.out.mkdir(parents=True, exist_ok=True)
    if given.one:
        write_one(*given.one.split(","), given.out)
        return
    for name in given.methods:
        for dtype in ("float64", "float32"):
            command = [sys.executable, "-m", "tests.numbers", "write", f"--out={given.out}"]
            subprocess.run([*command, f"--one={name},{dtype}"], check=True)
            print(json.dumps({"method": name, "dtype": dtype}), flush=True)


if __name__ == "__main__":
    main()
