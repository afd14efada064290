"""Photographs to masks: JAX, the exported ONNX file and PyTorch, in turns.

    python -m benchmarks.inference --size=256 [--network=efficientnet_lite0]

From uint8 images on the host to uint8 masks on the host: the times include preprocessing, the
copies and the choice of the class. `onnx-entropy` and `onnx-method` return an uncertainty as well:
the entropy, or the method's own (UAPS: the divergence of its decoders, `--network=unet` alone). All
ways have the same weights; their masks are compared first.
The results go to `benchmarks/results/inference.jsonl`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from typing import Any

import numpy as np

from benchmarks.measuring import record
from benchmarks.network_step import NETWORKS
from benchmarks.sides import Side, Sides

MODULE = "benchmarks.inference_side"
TURNS = 5  # of each way and batch
TIES = 1e-3
"""Fraction of pixels that may get another class in float32, where two classes are equal."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=256, help="side of an image in pixels")
    parser.add_argument("--network", choices=("unet", *NETWORKS), default="unet")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 32])
    parser.add_argument("--images", type=int, default=320, help="in all, for each way and batch")
    parser.add_argument(
        "--ways", nargs="+", default=["jax", "onnx", "torch", "torch-compiled"], help="in turns"
    )
    given = parser.parse_args()
    if given.network != "unet" and "onnx-method" in given.ways:
        parser.error(
            "--ways=onnx-method: only --network=unet has an uncertainty of its method here"
        )
    print("| way | batch | p50 ms | p95 | p99 | images/s |\n|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder, Sides() as sides:
        shared = [f"--network={given.network}", f"--size={given.size}", f"--folder={folder}"]
        exported = {way.partition("-")[2] or "entropy" for way in given.ways if "onnx" in way}
        Side(MODULE, ["--way=write", *shared, "--uncertainties", *sorted(exported)]).close()
        for way in given.ways:
            sides[way] = Side(MODULE, [f"--way={way}", *shared])
        other, ran = sides.ask("agree"), sides.ask("describe")
        if any(v > TIES for way, v in other.items() if "bfloat16" not in way):
            raise SystemExit(f"the ways do not agree on the class of pixels: {other}")
        for batch in given.batches:
            count = max(10, given.images // batch)
            sides.ask("times", batch=batch, count=2)  # compiles
            times = sides.turns(TURNS, "times", batch=batch, count=count // TURNS)
            for way, values in times.items():
                about = {"network": given.network, "size": given.size, "batch": batch}
                _report(about, way, 1000 * np.array(values), other[way], ran[way])


def _report(about: dict[str, Any], way: str, times: np.ndarray, other: float, ran: str) -> None:
    batch = about["batch"]
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    speed = 1000 * batch / p50
    print(f"| {way} | {batch} | {p50:.1f} | {p95:.1f} | {p99:.1f} | {speed:.1f} |", flush=True)
    figures = {
        "way": way,
        "ran": ran,
        **about,
        "cores": os.cpu_count(),
        "runs": len(times),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "images_per_second": speed,
        "pixels_of_another_class": other,
    }
    record("inference", figures)


if __name__ == "__main__":
    main()
