"""A training step of UAPS or FixMatch against PyTorch, in one run.

    python -m benchmarks.train_step --size=128 --batch=4
    python -m benchmarks.train_step --method=fixmatch --size=128 --batch=4

Both sides get the same uint8 images, the same weights and the same number of threads, and take
steps in turns; the table shows images per second (labeled and unlabeled ones together) from the
median step, its spread, the time to the first step, and the ratio to the best PyTorch. Before
anything is timed, logits and loss of both sides have to agree. The results go to
`benchmarks/results/train_step.jsonl`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measuring import record, step_figures
from benchmarks.sides import METHODS, Side, Sides

AGREEMENT = 1e-4
DETERMINISTIC = "deterministic"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--method", choices=METHODS, default="uaps")
    parser.add_argument("--size", type=int, default=128, help="side of an image in pixels")
    parser.add_argument("--batch", type=int, default=4, help="labeled images; unlabeled as many")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side")
    parser.add_argument("--steps", type=int, default=5, help="steps in a turn")
    parser.add_argument(
        "--ours",
        nargs="+",
        default=["float32"],
        help="our ways: a compute type, and whether the same bits are asked for: float32, "
        "float32-deterministic",
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        default=["released", "expert", "expert-compiled"],
        help="PyTorch's ways: released, expert, expert-compiled, each also with -bfloat16",
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(arguments, Path(folder))
    print(table(figures))
    record("train_step", figures)


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Starts the sides, checks that they agree, and times them in turns."""
    shape = [
        f"--method={arguments.method}",
        f"--size={arguments.size}",
        f"--batch={arguments.batch}",
        f"--folder={folder}",
    ]
    with Sides() as sides:
        for way in arguments.ours:
            dtype, *more = way.split("-")
            how = [f"--dtype={dtype}"]
            how += [f"--{DETERMINISTIC}"] * (DETERMINISTIC in more)
            sides[f"jax {way}"] = Side("benchmarks.jax_side", [*shape, *how])
        reference = next(iter(sides.values()))
        reference.ask("write")
        for way in arguments.peers:
            sides[f"torch {way}"] = Side("benchmarks.torch_side", [*shape, f"--way={way}"])
        differences = {
            name: side.ask("agree") for name, side in sides.items() if name.startswith("torch")
        }
        exact = {n: d for n, d in differences.items() if "bfloat16" not in n}
        if any(max(d.values()) > AGREEMENT for d in exact.values()):
            raise SystemExit(f"the sides do not agree: {differences}")
        first = sides.ask("first")
        times = sides.turns(arguments.rounds, "steps", count=arguments.steps)
        machine = sides.ask("describe")
    images = 2 * arguments.batch
    return {
        "method": arguments.method,
        "size": arguments.size,
        "batch": arguments.batch,
        "cores": os.cpu_count(),
        "agreement": differences,
        "sides": {
            name: {
                **step_figures(values, images),
                "first_step_s": first[name],
                **machine[name],
            }
            for name, values in times.items()
        },
    }


def table(figures: dict[str, Any]) -> str:
    """The figures of a run as Markdown."""
    sides = figures["sides"]
    peers = [side["images_per_second"] for name, side in sides.items() if "torch" in name]
    best = max(peers, default=float("nan"))
    lines = [
        f"{METHODS[figures['method']]} train step, {figures['size']} px, "
        f"{figures['batch']} + {figures['batch']} images, {figures['cores']} cores",
        "",
        "| side | images/s | ms a step (fastest, slowest) | first step, s | to best PyTorch |",
        "|---|---|---|---|---|",
    ]
    for name, side in sides.items():
        lines.append(
            f"| {name} | {side['images_per_second']:.2f} | {side['step_ms']:.0f} "
            f"({side['step_ms_fastest']:.0f}, {side['step_ms_slowest']:.0f}) | "
            f"{side['first_step_s']:.1f} | {side['images_per_second'] / best:.2f} |"
        )
    lines.append("")
    for name, side in sides.items():
        if "convolution_flops" in side:
            arithmetic = 1000 * side["convolution_flops"] / side["matmul_flops_per_second"]
            memory = 1000 * side["bytes_by_xlas_count"] / side["copy_bytes_per_second"]
            lines.append(
                f"{name}: the convolutions' {side['convolution_flops'] / 1e9:.0f} GFLOP take "
                f"{arithmetic:.0f} ms at this device's {side['matmul_flops_per_second'] / 1e9:.0f} "
                f"GFLOP/s of a matrix product, {100 * arithmetic / side['step_ms']:.0f} % of the "
                f"step; the {side['bytes_by_xlas_count'] / 2**30:.1f} GiB that XLA counts, caches "
                f"left out, {memory:.0f} ms at {side['copy_bytes_per_second'] / 2**30:.1f} GiB/s"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
