"""Training steps of UAPS and FixMatch beside PyTorch's, within minutes, on a GPU without network.

    python3 benchmarks/gpu_steps.py --out=$OUT --minutes=3.5

As `benchmarks.train_step`, which it calls the sides of, but all sides compile at the same time, and
those that are not ready in time are left out: compilers that choose kernels by timing them then
share the GPU, and the first step takes longer. Before, logits and losses are compared without TF32;
then the sides take steps in turns. Writes `times.json` and, of our UAPS, the time by kinds of
kernels. Needs the bundle that `benchmarks.gpu_neu gather` makes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from benchmarks import gpu_neu  # noqa: E402
from benchmarks.measuring import step_figures  # noqa: E402
from benchmarks.sides import METHODS, Side  # noqa: E402

OURS = ("float32", "bfloat16")
PEERS = ("released", "expert-compiled-bfloat16")
WARM_UP, STEPS, TRACED = 10, 20, 3
COMPILING = 0.7
"""Of the minutes, after which sides that are not ready are left out."""
KINDS = ("wgrad", "dgrad", "fprop", "convertTensor", "Padding")
"""Parts of the names of cuDNN's kernels; all others count as one kind."""


def main() -> None:
    """Compiles, compares, times and profiles."""
    started = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bundle", type=Path, default=PROJECT / "bundle")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--peers", nargs="*", default=list(PEERS))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    os.environ.update(gpu_neu.install(given.bundle.resolve()))
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # several processes share the GPU
    ready = compiled(given, started + 60 * given.minutes * COMPILING)
    for side, _ in ready.values():
        side.ask("steps", count=WARM_UP)
    times: dict[str, list[float]] = {name: [] for name in ready}
    for _ in range(given.rounds):
        for name, (side, _) in ready.items():
            times[name] += side.ask("steps", count=STEPS)
    figures = {
        name: {
            **found,
            **step_figures(times[name], 2 * given.batch),
            **side.ask("describe"),
        }
        for name, (side, found) in ready.items()
    }
    for name, one in figures.items():
        print(name, f"{one['step_ms']:.1f} ms, {one['images_per_second']:.0f} images/s", flush=True)
    for name in (f"uaps, jax {way}" for way in OURS):
        if name in ready:
            folder = gpu_neu.SCRATCH / "trace" / name.replace(" ", "_")
            ready[name][0].ask("trace", folder=str(folder), count=TRACED)
            figures[name]["kernel_ms"] = kernels(folder)
    (given.out / "times.json").write_text(json.dumps(figures, indent=1) + "\n")
    for side, _ in ready.values():
        side.close()
    os._exit(0)  # threads may wait for sides that are not ready


def compiled(given: argparse.Namespace, deadline: float) -> dict[str, tuple[Side, dict[str, Any]]]:
    """The sides that are ready at the deadline, each with what is known of it."""
    found: dict[str, tuple[Side, dict[str, Any]]] = {}
    threads = []
    for method in given.methods:
        folder = gpu_neu.SCRATCH / f"sides_{method}"
        folder.mkdir(parents=True, exist_ok=True)
        shape = [f"--method={method}", f"--size={given.size}", f"--batch={given.batch}"]
        shape.append(f"--folder={folder}")
        written = threading.Event()

        def start(name: str, shape: list[str], written: threading.Event) -> None:
            kind, way = name.split(", ")[1].split(" ")
            about: dict[str, Any] = {}
            if kind == "jax":
                side = Side("benchmarks.jax_side", [*shape, f"--dtype={way}"])
                if way == OURS[0]:
                    side.ask("write")
                    written.set()
            else:
                written.wait()
                side = Side("benchmarks.torch_side", [*shape, f"--way={way}"])
                about["agreement"] = side.ask("agree")
            about["first_step_s"] = side.ask("first")
            found[name] = side, about

        names = [f"{method}, jax {way}" for way in OURS]
        names += [f"{method}, torch {way}" for way in given.peers]
        threads += [
            threading.Thread(target=start, args=(name, shape, written), daemon=True)
            for name in names
        ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(sorted(found.items()))


def kernels(folder: Path) -> dict[str, float]:
    """Milliseconds a step by kinds of kernels, of a trace."""
    from jax.profiler import ProfileData

    (file,) = folder.rglob("*.xplane.pb")
    spent: Counter[str] = Counter()
    for plane in ProfileData.from_file(str(file)).planes:
        lines = plane.lines if "GPU" in plane.name else ()
        for line in lines:
            for event in line.events if line.name.startswith("Stream") else ():
                kind = next((kind for kind in KINDS if kind in event.name), "other")
                spent[kind] += event.duration_ns
    return {kind: value / TRACED / 1e6 for kind, value in spent.most_common()}


if __name__ == "__main__":
    main()
