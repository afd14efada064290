"""Our side of `benchmarks.train_step`."""

from __future__ import annotations

import argparse
import os
import resource
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks import jax_reference, roofline, torch_names
from benchmarks.measuring import seconds
from benchmarks.sides import METHODS, serve
from uaps_jax import methods
from uaps_jax.config import assign
from uaps_jax.configs import train
from uaps_jax.configs.parts.views import view
from uaps_jax.models import cost
from uaps_jax.training import feed, optimizers, sharding, step
from uaps_jax.training import state as state_lib

POOL = 32  # images on the device
REFERENCES = {"uaps": jax_reference.of_uaps, "fixmatch": jax_reference.of_fixmatch}
PASSES = {"uaps": 3, "fixmatch": 3.5}
"""The convolutions of a step, in forward passes of labeled and unlabeled images: forward, the
gradients of images and of kernels, and the teacher's pass of unlabeled images."""


def main() -> None:
    """Answers `benchmarks.train_step`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", choices=METHODS, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--dtype", required=True)
    parser.add_argument("--deterministic", action="store_true")
    arguments = parser.parse_args()
    ours = Ours(
        arguments.method,
        arguments.size,
        arguments.batch,
        arguments.folder,
        arguments.dtype,
        deterministic=arguments.deterministic,
    )
    serve(
        {
            "write": ours.write,
            "first": ours.first,
            "steps": ours.steps,
            "describe": ours.describe,
            "trace": ours.trace,
        }
    )


class Ours:
    """A training of a method on random images; its weak views are the images themselves."""

    def __init__(
        self,
        method: str,
        size: int,
        batch: int,
        folder: Path,
        dtype: str,
        *,
        deterministic: bool,
    ) -> None:
        """Builds the step; nothing is compiled yet."""
        config = train.build(dataset="neu", method=method)
        config.views.labeled = config.views.unlabeled = view()
        config.data.height = config.data.width = size
        config.train.batch_labeled = config.train.batch_unlabeled = batch
        assign(config, "network.dtype", dtype)
        config.train.deterministic = deterministic
        config.method.scale_ramps(1, 1.0)
        self._config, self._folder, self._batch = config, folder, batch
        self._method = methods.build(config)
        shards = sharding.over_devices(1)
        optimizer = optimizers.build(config.optimizer, self._method.parameter_groups)
        self._traced: Any = step.make_train_step(self._method, optimizer, config, shards)
        self._step: Any = None
        random = np.random.default_rng(0)
        images = random.integers(0, 256, (2, POOL, size, size, 3), np.uint8)
        masks = random.integers(0, 4, (POOL, size, size), np.uint8)
        self._arrays = {"labeled": images[0], "unlabeled": images[1], "mask": masks}
        pools = {
            "labeled": {"image": images[0], "mask": masks},
            "unlabeled": {"image": images[1]},
        }
        start = state_lib.create(self._method, optimizer, config.optimizer, 0)
        self._state = jax.device_put(start, shards.replicated)
        self._variables = {
            "params": start.params,
            "batch_stats": start.method_state["batch_stats"],
        }
        self._show = feed.make_show_function(self._method.streams, shards)
        rows = {s: np.arange(batch, dtype=np.int32) for s in self._method.streams}
        self._images, self._rows, *self._rest = jax.device_put(
            (pools, rows, jax.random.key(0), step.traced_hyperparameters(self._method)),
            shards.replicated,
        )

    def write(self) -> None:
        """Writes images, weights by their published names, clean logits and a loss."""
        name = self._config.method.name
        batch = {field: rows[: self._batch] for field, rows in self._arrays.items()}
        with jax.default_matmul_precision("highest"):  # on a GPU, no TF32
            reference = REFERENCES[name](self._method, self._config.method, self._variables, batch)
        stored: dict[str, Any] = self._arrays | reference
        for tensor, value in torch_names.tensors(self._variables).items():
            stored[f"weights/{tensor}"] = value
        np.savez(self._folder / "reference.npz", **stored)

    def first(self) -> float:
        """Seconds of the first step, compilation included."""
        started = time.perf_counter()
        batch = self._show(self._images, self._rows)
        self._step = self._traced.lower(self._state, batch, *self._rest).compile()
        self._take()
        return time.perf_counter() - started

    def steps(self, count: int) -> list[float]:
        """Seconds of each of some steps."""
        return seconds(self._take, count)

    def trace(self, folder: str, count: int) -> None:
        """Writes the profile of some steps, and the compiled program as text."""
        with jax.profiler.trace(folder):
            self.steps(count)
        Path(folder, "program.txt").write_text(self._step.as_text())

    def _take(self) -> None:
        batch = self._show(self._images, self._rows)
        self._state, metrics = self._step(self._state, batch, *self._rest)
        jax.block_until_ready((self._state, metrics))

    def describe(self) -> dict[str, Any]:
        """What it ran on."""
        device = jax.devices()[0]
        statistics = device.memory_stats() or {}
        peak = statistics.get(
            "peak_bytes_in_use", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        )
        network = self._method.predictor("").network
        image = jax.ShapeDtypeStruct((2 * self._batch, *self._arrays["labeled"].shape[1:]), float)
        forward = cost.macs(lambda v, x: network.all_logits(v, x, None), network.shapes(), image)
        rates = roofline.rates(self._config.network.dtype)
        return {
            "version": f"jax {jax.__version__}",
            "device": device.device_kind,
            "peak_memory_gib": peak / 2**30,
            "threads": os.cpu_count(),
            "convolution_flops": round(PASSES[self._config.method.name] * 2 * forward),
            "bytes_by_xlas_count": self._step.cost_analysis()["bytes accessed"],
            **rates,
        }


if __name__ == "__main__":
    main()
