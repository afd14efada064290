"""The bottleneck of the step on a CPU: every convolution of the network, ours and PyTorch's.

    python -m benchmarks.convolutions --size=128 --batch=4

Times the forward pass, the gradient of the images and the gradient of the kernel for each shape
that occurs, in float32, in turns, and sums them over a training step. `--plain` measures XLA's own
gradients as well, without the rearrangements of `uaps_jax.models.cpu_conv`. The results go to
`benchmarks/results/convolutions.jsonl`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch
from jax import lax

from benchmarks.measuring import record
from uaps_jax import compiler
from uaps_jax.configs.parts import networks
from uaps_jax.models import cpu_conv

PARTS = ("forward", "images", "kernel")
ROUNDS, CALLS = 5, 3
SETTLE_S = 0.05  # PyTorch's threads wait actively for a while after a call


def shapes(size: int, auxiliary: int) -> dict[tuple[int, int, int, int], int]:
    """(side, kernel, inputs, outputs) -> its number of occurrences in UAPS's network."""
    widths = networks.unet().widths
    counts: dict[tuple[int, int, int, int], int] = {}

    def add(side: int, kernel: int, inputs: int, outputs: int, times: int) -> None:
        shape = (side, kernel, inputs, outputs)
        counts[shape] = counts.get(shape, 0) + times

    decoders = 1 + auxiliary
    for level, width in enumerate(widths):
        side = size // 2**level
        add(side, 3, widths[level - 1] if level else 3, width, 1)
        add(side, 3, width, width, 1)
        if level < len(widths) - 1:
            add(side // 2, 1, widths[level + 1], width, decoders)
            add(side, 3, 2 * width, width, decoders)
            add(side, 3, width, width, decoders)
    add(size, 3, widths[0], 4, decoders)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=128, help="side of an image in pixels")
    parser.add_argument("--batch", type=int, default=4, help="labeled images; unlabeled as many")
    parser.add_argument("--plain", action="store_true", help="XLA's own gradients, too")
    given = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    sides = ["ours", *(["plain"] if given.plain else []), "torch"]
    columns = [f"{part} {side}" for part in PARTS for side in sides]
    print(f"| side | kernel | channels | times | {' | '.join(columns)} |")
    print(f"|{'---|' * (4 + len(columns))}")
    totals = dict.fromkeys(columns, 0.0)
    for shape, times in shapes(given.size, auxiliary=3).items():
        milliseconds = measure(shape, 2 * given.batch, plain=given.plain)
        if shape[2] == 3:  # the images of the first layer need no gradient
            milliseconds |= dict.fromkeys((c for c in columns if c.startswith("images")), 0.0)
        for column in columns:
            totals[column] += times * milliseconds[column]
        side, kernel, inputs, outputs = shape
        values = " | ".join(f"{milliseconds[c]:.1f}" for c in columns)
        print(f"| {side} | {kernel} | {inputs} to {outputs} | {times} | {values} |", flush=True)
    print(f"| step | | | | {' | '.join(f'{totals[c]:.0f}' for c in columns)} |")
    sums = {side: sum(totals[f"{part} {side}"] for part in PARTS) for side in sides}
    print(", ".join(f"{side} {value:.0f} ms" for side, value in sums.items()))
    figures = {"cores": os.cpu_count(), "step_ms": totals, "sums_ms": sums}
    record("convolutions", vars(given) | figures)


def measure(shape: tuple[int, int, int, int], batch: int, *, plain: bool) -> dict[str, float]:
    """Milliseconds of each part and side."""
    side, kernel, inputs, outputs = shape
    random = np.random.default_rng(0)
    x, w, g = (
        random.normal(size=size).astype(np.float32)
        for size in (
            (batch, side, side, inputs),
            (kernel, kernel, inputs, outputs),
            (batch, side, side, outputs),
        )
    )
    calls = {f"{part} ours": call for part, call in _ours(x, w, g).items()}
    if plain:
        calls |= {f"{part} plain": call for part, call in _plain(x, w, g).items()}
    calls |= {f"{part} torch": call for part, call in _torch(x, w, g).items()}
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            time.sleep(SETTLE_S)
            call()
            started = time.perf_counter()
            for _ in range(CALLS):
                call()
            times[name].append(1000 * (time.perf_counter() - started) / CALLS)
    return {name: statistics.median(values) for name, values in times.items()}


def _ours(x: np.ndarray, w: np.ndarray, g: np.ndarray) -> dict[str, Callable[[], Any]]:
    return _compiled(
        cpu_conv.forward,
        lambda x, w, g: cpu_conv.input_gradient(w, g),
        cpu_conv.kernel_gradient,
        (x, w, g),
    )


def _plain(x: np.ndarray, w: np.ndarray, g: np.ndarray) -> dict[str, Callable[[], Any]]:
    around = w.shape[0] // 2

    def conv(x: jax.Array, w: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(
            x, w, (1, 1), ((around, around),) * 2, dimension_numbers=cpu_conv.DIMENSIONS
        )

    return _compiled(
        conv,
        lambda x, w, g: jax.linear_transpose(lambda x: conv(x, w), x)(g)[0],
        lambda x, w, g: jax.linear_transpose(lambda w: conv(x, w), w)(g)[0],
        (x, w, g),
    )


def _compiled(
    forward: Any, images: Any, kernel: Any, arrays: tuple[np.ndarray, ...]
) -> dict[str, Callable[[], Any]]:
    x, w, g = jax.device_put(arrays)
    parts = {"forward": (forward, (x, w)), "images": (images, (x, w, g))}
    parts["kernel"] = (kernel, (x, w, g))

    def call(function: Any, arguments: Any) -> Callable[[], Any]:
        run = compiler.jit_optimized(function)
        return lambda: jax.block_until_ready(run(*arguments))

    return {name: call(*part) for name, part in parts.items()}


def _torch(x: np.ndarray, w: np.ndarray, g: np.ndarray) -> dict[str, Callable[[], Any]]:
    images, gradient = (torch.from_numpy(a).movedim(-1, 1) for a in (x, g))
    kernel = torch.from_numpy(w).permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
    around = w.shape[0] // 2

    def backward(*wanted: bool) -> Any:
        return torch.ops.aten.convolution_backward(
            gradient,
            images,
            kernel,
            None,
            [1] * 2,
            [around] * 2,
            [1] * 2,
            False,
            [0] * 2,
            1,
            wanted,
        )

    return {
        "forward": lambda: torch.nn.functional.conv2d(images, kernel, padding=around),
        "images": lambda: backward(True, False, False),
        "kernel": lambda: backward(False, True, False),
    }


if __name__ == "__main__":
    main()
