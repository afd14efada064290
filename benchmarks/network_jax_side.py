"""Our side of `benchmarks.network_step`."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import network_parity
from benchmarks.measuring import seconds
from benchmarks.network_step import NETWORKS
from benchmarks.sides import serve
from uaps_jax import compiler
from uaps_jax.losses import segmentation
from uaps_jax.models import encoders
from uaps_jax.trees import Tree


def main() -> None:
    """Answers `benchmarks.network_step`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", choices=NETWORKS, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    side = Ours(arguments.network, arguments.folder)
    serve(
        {"agree": side.agree, "first": side.first, "steps": side.steps, "describe": side.describe}
    )


class Ours:
    """A training on the images and from the weights that PyTorch's side wrote."""

    def __init__(self, network: str, folder: Path) -> None:
        case = network_parity.case_of(network)
        self._network, settings = network_parity.ours(case, "float32")
        with np.load(folder / "torch.npz") as file:
            stored = {name: file[name] for name in file.files}
        state = {n.removeprefix("state/"): a for n, a in stored.items() if n.startswith("state/")}
        table = encoders.ENCODERS[settings.encoder].table
        variables = network_parity.converted(case, state, self._network, table)
        self._logits = stored["logits"]
        self._batch = jax.device_put((stored["images"], stored["masks"]))
        self._optimizer = optax.adam(1e-3)
        moments = self._optimizer.init(variables["params"])
        self._state: Any = jax.device_put((variables, moments, jax.random.key(0)))
        self._step: Any = None

    def agree(self) -> float:
        """The largest difference of the logits in evaluation mode, relative to the largest."""
        variables, images = self._state[0], self._batch[0]
        found = jax.jit(self._network.main_logits)(variables, images)
        return float(np.abs(found - self._logits).max() / np.abs(self._logits).max())

    def first(self) -> float:
        """Seconds of the first step, compilation included."""
        started = time.perf_counter()
        self._step = (
            compiler.jit_optimized(self._train, donate_argnums=0)
            .lower(self._state, self._batch)
            .compile()
        )
        self._take()
        return time.perf_counter() - started

    def steps(self, count: int) -> list[float]:
        """Seconds of each of some steps."""
        return seconds(self._take, count)

    def describe(self) -> str:
        """What it runs on."""
        return f"jax {jax.__version__}"

    def _take(self) -> None:
        self._state, loss = self._step(self._state, self._batch)
        jax.block_until_ready((self._state, loss))

    def _train(self, state: Any, batch: tuple[jax.Array, jax.Array]) -> tuple[Any, jax.Array]:
        variables, moments, key = state
        images, labels = batch

        def loss_of(params: Tree) -> tuple[jax.Array, Tree]:
            now = variables | {"params": params}
            outputs, statistics = self._network.train_outputs(now, images, key)
            loss = segmentation.cross_entropy_and_dice(outputs.logits[0], labels.astype(jnp.int32))
            return loss, statistics

        gradient = jax.value_and_grad(loss_of, has_aux=True)
        (loss, statistics), gradients = gradient(variables["params"])
        updates, moments = self._optimizer.update(gradients, moments)
        after = {
            "params": optax.apply_updates(variables["params"], updates),
            "batch_stats": statistics,
        }
        return (after, moments, jax.random.split(key, 1)[0]), loss


if __name__ == "__main__":
    main()
