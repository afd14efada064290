"""How the auxiliary decoders should run: unrolled, vmapped, or vmapped with grouped convolutions.

    python -m benchmarks.decoders --size=128 --batch=4

A training step of UAPS with 0 to 4 auxiliary decoders, the three ways in turns; milliseconds of
the median step. The results go to `benchmarks/results/decoders.jsonl`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile

from benchmarks.measuring import record
from benchmarks.sides import Side, Sides


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=128, help="side of an image in pixels")
    parser.add_argument("--batch", type=int, default=4, help="labeled images; unlabeled as many")
    parser.add_argument("--rounds", type=int, default=5, help="turns of one step each")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--ways", nargs="+", default=["unrolled", "vmapped", "grouped"])
    parser.add_argument("--auxiliary", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    given = parser.parse_args()
    print(f"| auxiliary | {' | '.join(given.ways)} |\n|---{'|---' * len(given.ways)}|", flush=True)
    for auxiliary in given.auxiliary:
        with tempfile.TemporaryDirectory() as folder, Sides() as sides:
            shape = [f"--size={given.size}", f"--batch={given.batch}", f"--folder={folder}"]
            shape += [f"--dtype={given.dtype}", f"--auxiliary={auxiliary}"]
            for way in given.ways:
                sides[way] = Side("benchmarks.jax_side", [*shape, f"--execution={way}"])
            first = sides.ask("first")
            times = sides.turns(given.rounds, "steps", count=1)
        medians = {way: 1000 * statistics.median(values) for way, values in times.items()}
        print(f"| {auxiliary} | {' | '.join(f'{v:.0f}' for v in medians.values())} |", flush=True)
        figures = {
            "auxiliary": auxiliary,
            "cores": os.cpu_count(),
            "step_ms": medians,
            "first_step_s": first,
        }
        record("decoders", vars(given) | figures)


if __name__ == "__main__":
    main()
