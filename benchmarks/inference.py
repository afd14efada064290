"""Photographs to masks: JAX, the exported ONNX file and PyTorch, in turns.

    python -m benchmarks.inference --size=256

uint8 images on the host go in, uint8 masks on the host come out: preprocessing, the copies and the
choice of the class are inside the times. All ways have the same weights; their masks are compared
first. The results go to `benchmarks/results/inference.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.sides import Side

RESULTS = Path(__file__).parent / "results" / "inference.jsonl"
MODULE = "benchmarks.inference_side"
TIES = 1e-3
"""Share of pixels that may fall the other way in float32, where two classes are equal."""


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=256, help="side of an image in pixels")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 32])
    parser.add_argument("--images", type=int, default=320, help="in all, for each way and batch")
    parser.add_argument(
        "--ways", nargs="+", default=["jax", "onnx", "torch", "torch-compiled"], help="in turns"
    )
    given = parser.parse_args()
    print("| way | batch | p50 ms | p95 | p99 | images/s |\n|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        place = [f"--size={given.size}", f"--folder={folder}"]
        writing = "write-onnx" if "onnx" in given.ways else "write"
        Side(MODULE, [f"--way={writing}", *place]).close()
        sides = {way: Side(MODULE, [f"--way={way}", *place]) for way in given.ways}
        try:
            other = {way: side.ask("agree") for way, side in sides.items()}
            ran = {way: side.ask("describe") for way, side in sides.items()}
            if any(v > TIES for way, v in other.items() if "bfloat16" not in way):
                raise SystemExit(f"the ways do not agree on the class of pixels: {other}")
            for batch in given.batches:
                count = max(10, given.images // batch)
                times: dict[str, list[float]] = {way: [] for way in sides}
                for side in sides.values():
                    side.ask("times", batch=batch, count=2)  # compiles
                for _ in range(5):
                    for way, side in sides.items():
                        times[way] += side.ask("times", batch=batch, count=count // 5)
                for way, values in times.items():
                    _report(given.size, batch, way, 1000 * np.array(values), other[way], ran[way])
        finally:
            for side in sides.values():
                side.close()


def _report(size: int, batch: int, way: str, times: np.ndarray, other: float, ran: str) -> None:
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    speed = 1000 * batch / p50
    print(f"| {way} | {batch} | {p50:.1f} | {p95:.1f} | {p99:.1f} | {speed:.1f} |", flush=True)
    record = {
        "way": way,
        "ran": ran,
        "size": size,
        "batch": batch,
        "cores": os.cpu_count(),
        "runs": len(times),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "images_per_second": speed,
        "pixels_of_another_class": other,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
