"""All timings on a GPU machine without network, one after another.

    python3 benchmarks/gpu_speed.py --bundle=bundle --out=$OUT

Needs the bundle that `benchmarks.gpu_neu gather` makes; PyTorch is measured if the machine has
it. A measurement that is in `--out`, or in `--resume`, is not repeated.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from benchmarks import gpu_neu  # noqa: E402

EXACT = {"JAX_DEFAULT_MATMUL_PRECISION": "float32"}  # else float32 convolutions may use TF32
PEERS = ["released", "expert", "expert-compiled", "expert-compiled-bfloat16"]
SIZE = ["--size=256", "--batch=16"]


def measures(with_torch: bool) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Name -> arguments of `python -m`, and environment, in order of importance."""
    peers = ["--peers", *(PEERS if with_torch else [])]
    ways = ["jax", "jax-bfloat16", *(["torch", "torch-compiled"] if with_torch else [])]
    ours = ["--ours", "float32", "bfloat16", "float32-deterministic"]
    step = ["benchmarks.train_step", *SIZE, "--rounds=5", "--steps=20"]
    return {
        "train_step": ([*step, *ours, *peers], {}),
        "train_step_exact": ([*step, "--ours", "float32", "--peers"], EXACT),
        "inference": (["benchmarks.inference", "--size=256", "--ways", *ways], {}),
        "startup": (["benchmarks.startup", "--size=256", "--batch=16"], {}),
    }


def main() -> None:
    """Measures what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bundle", type=Path, default=PROJECT / "bundle")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", type=Path, help="folder of the results of an earlier call")
    parser.add_argument("--only", nargs="*", default=[], help="names of measurements")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    environment = gpu_neu.install(given.bundle.resolve())
    wanted = measures(importlib.util.find_spec("torch") is not None)
    for name, (arguments, more) in wanted.items():
        if given.only and name not in given.only:
            continue
        folders = [given.out, *([given.resume] if given.resume else [])]
        if any((folder / f"{name}.txt").is_file() for folder in folders):
            continue
        print(f"== {name}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=PROJECT,
            env={**os.environ, **environment, **more},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        print(done.stdout, flush=True)
        if done.returncode == 0:
            (given.out / f"{name}.txt").write_text(done.stdout)
        for file in (PROJECT / "benchmarks" / "results").glob("*.jsonl"):
            if file.stem in ("train_step", "inference", "startup"):
                (given.out / file.name).write_bytes(file.read_bytes())


if __name__ == "__main__":
    main()
