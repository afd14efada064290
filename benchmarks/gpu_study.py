"""Entries of a study side by side on one GPU, in a given time, on a machine without network.

    python3 benchmarks/gpu_study.py --data=bundle/data --out=$OUT --steps=8400 --minutes=9 \
        --study=configs/studies/neu_weak_to_strong.py:published --entries supervised UAPS

All trainings run at once, so that one computes while another compiles, evaluates or draws. A
training that is not done when the time ends is asked to stop, which saves its step. `--out` gets
the scores, the curves, the log and the last checkpoint's variables of each, in parts below 16 MiB:
put together, they are a tar. Needs the bundle of `benchmarks.gpu_neu gather`, and a folder of
built data sets.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from benchmarks import gpu_neu  # noqa: E402

PACKING_SECONDS = 12
STOPPING_SECONDS = 8
POLL_SECONDS = 1.0
KEPT = (
    "config.json",
    "split.json",
    "result.json",
    "metrics.jsonl",
    "evaluations.jsonl",
    "contact_sheet.png",
    "curves.png",
)
WITHOUT = "state"  # three times the size of the variables


def main() -> None:
    """Installs, trains, stops, packs."""
    started = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bundle", type=Path, default=PROJECT / "bundle")
    parser.add_argument("--data", type=Path, required=True, help="built data sets")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--study", required=True, help="its file, with its argument")
    parser.add_argument("--entries", nargs="+", required=True)
    parser.add_argument("--steps", type=int, required=True, help="of each training")
    parser.add_argument("--minutes", type=float, required=True, help="of the whole command")
    parser.add_argument("--set", nargs="*", default=[], help="KEY=VALUE, of all trainings")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    environment = gpu_neu.install(given.bundle.resolve())
    environment["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # several processes share the GPU
    sys.path[:0] = environment["PYTHONPATH"].split(os.pathsep)
    folder = gpu_neu.SCRATCH / "study"
    running = {}
    for name, flags in commands(given).items():
        workdir = folder / name
        workdir.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name}.log").open("w") as log:
            running[name] = subprocess.Popen(
                [sys.executable, str(PROJECT / "run.py"), *flags, f"--workdir={workdir}"],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
    deadline = started + 60 * given.minutes - PACKING_SECONDS
    watch(running, folder, started, deadline - STOPPING_SECONDS)
    for process in running.values():
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    while any(p.poll() is None for p in running.values()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for process in running.values():
        process.kill()
        process.wait()
    pack(folder, list(running), given.out)
    failed = [name for name, process in running.items() if process.returncode > 0]
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}; the logs are in the tar")


def commands(given: argparse.Namespace) -> dict[str, list[str]]:
    """Name of the folder -> flags of its training, of the study's first budget and seed."""
    from uaps_jax import configuration_files
    from uaps_jax.study import cells
    from uaps_jax.study.grid import Grid

    grid = configuration_files.load_section(given.study)
    if not isinstance(grid, Grid):
        raise SystemExit(f"--study={given.study} is no study")
    if unknown := sorted(set(given.entries) - set(grid.entries)):
        raise SystemExit(
            f"--entries: no {', '.join(unknown)} in {given.study}; it has {', '.join(grid.entries)}"
        )
    grid.data_dir = str(given.data.resolve())
    more = dict(one.split("=", 1) for one in given.set)
    grid.overrides |= {"train.steps": given.steps}
    found: dict[str, list[str]] = {}
    for cell in cells.cells(grid):
        name = cell.entry.replace(" ", "_")
        if cell.entry in given.entries and name not in found:
            extra = [f"--config.{key}={value}" for key, value in more.items()]
            found[name] = [*cells.flags(cell), *extra]
    return found


def watch(
    running: dict[str, subprocess.Popen[bytes]], folder: Path, started: float, until: float
) -> None:
    """Prints the steps from time to time, until all have ended or the time is up."""
    told = 0.0
    while time.monotonic() < until and any(p.poll() is None for p in running.values()):
        if time.monotonic() - told > 15:
            told = time.monotonic()
            steps = []
            for name in running:
                lines = gpu_neu.read_lines(folder / name / "metrics.jsonl")
                steps.append(f"{name} {max((line['step'] for line in lines), default=0)}")
            print(f"[{told - started:.0f} s]", ", ".join(steps), flush=True)
        time.sleep(POLL_SECONDS)
    for name, process in running.items():
        state = "still runs" if process.poll() is None else f"exit status {process.poll()}"
        print(name, state, flush=True)


def pack(folder: Path, names: list[str], out: Path) -> None:
    """Writes the scores, and a tar of the trainings in parts."""
    for name in names:
        scored = folder / name / "evaluations.jsonl"
        if scored.exists():
            shutil.copy(scored, out / f"{name}.jsonl")
            scores = [round(line["image_iou"], 2) for line in gpu_neu.read_lines(scored)]
            print(name, scores, flush=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            archive.add(folder / f"{name}.log", f"{name}.log")
            for file in KEPT:
                if (folder / name / file).exists():
                    archive.add(folder / name / file, f"{name}/{file}")
            for step in gpu_neu.saved_steps(folder / name)[-1:]:
                for item in sorted((folder / name / "checkpoints" / str(step)).iterdir()):
                    if item.name != WITHOUT:
                        archive.add(item, item.relative_to(folder))
    gpu_neu.write_parts(buffer.getvalue(), out, "study")


if __name__ == "__main__":
    main()
