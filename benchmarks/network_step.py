"""A supervised training step of a network against PyTorch's, in one run.

    python -m benchmarks.network_step --network=efficientnet_lite0 --size=128 --batch=8

Both sides get the same images, masks, weights and number of threads: cross-entropy and Dice, Adam,
float32, images of the network's encoder. PyTorch's side is eager, with channels last and fused
Adam. The logits in evaluation mode have to agree before anything is timed. The table shows the
median step, compilation apart; the figures go to `results/network_step.jsonl`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measuring import record
from benchmarks.sides import Side, Sides

NETWORKS = ("efficientnet_lite0", "deeplabv3plus_resnet18", "pspnet_resnet18")
AGREEMENT = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--network", choices=NETWORKS, required=True)
    parser.add_argument("--size", type=int, default=128, help="side of an image in pixels")
    parser.add_argument("--batch", type=int, default=8, help="labeled images")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side")
    parser.add_argument("--steps", type=int, default=5, help="steps in a turn")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(arguments, Path(folder))
    print(table(figures))
    record("network_step", figures)


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Starts the sides, checks that they agree, and times them in turns."""
    shape = [
        f"--network={arguments.network}",
        f"--size={arguments.size}",
        f"--batch={arguments.batch}",
        f"--folder={folder}",
    ]
    with Sides() as sides:
        sides["torch"] = Side("benchmarks.network_torch_side", shape)
        sides["torch"].ask("write")
        sides["jax"] = Side("benchmarks.network_jax_side", shape)
        difference = sides["jax"].ask("agree")
        if difference > AGREEMENT:
            raise SystemExit(f"the sides do not agree: {difference:.1e}")
        first = sides.ask("first")
        times = sides.turns(arguments.rounds, "steps", count=arguments.steps)
        versions = sides.ask("describe")
    return {
        "network": arguments.network,
        "size": arguments.size,
        "batch": arguments.batch,
        "cores": os.cpu_count(),
        "agreement": difference,
        "sides": {
            name: {
                "images_per_second": arguments.batch / statistics.median(values),
                "step_ms": 1000 * statistics.median(values),
                "step_ms_fastest": 1000 * min(values),
                "step_ms_slowest": 1000 * max(values),
                "first_step_s": first[name],
                "version": versions[name],
            }
            for name, values in times.items()
        },
    }


def table(figures: dict[str, Any]) -> str:
    """The figures of a run as Markdown."""
    sides = figures["sides"]
    lines = [
        f"{figures['network']}, supervised step, {figures['size']} px, {figures['batch']} images, "
        f"{figures['cores']} cores",
        "",
        "| side | images/s | ms a step (fastest, slowest) | first step, s | to PyTorch |",
        "|---|---|---|---|---|",
    ]
    for side in sides.values():
        lines.append(
            f"| {side['version']} | {side['images_per_second']:.2f} | {side['step_ms']:.0f} "
            f"({side['step_ms_fastest']:.0f}, {side['step_ms_slowest']:.0f}) | "
            f"{side['first_step_s']:.1f} | "
            f"{side['images_per_second'] / sides['torch']['images_per_second']:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
