"""Studies on a GPU machine without network, in a given time.

    python3 benchmarks/gpu_study.py --data=bundle/data --out=$OUT --minutes=9.6 \
        --study=configs/studies/thirty_256px.py:budget=30

`--study` takes several, which run one after another, each with the command that a user would type.
When the time ends, the running trainings are asked to stop, which saves their step, unless they
take longer than half a minute; the same command resumes them. `--out` gets the reports, pictures,
scores, curves and logs, in parts below 16 MiB: put together, they are a tar of the work
directories, from which the same study elsewhere makes its tables. Checkpoints and predictions are
left out. Needs the bundle of `benchmarks.gpu_neu gather`, and a folder of built data sets.
"""

from __future__ import annotations

import argparse
import io
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
STOPPING_SECONDS = 30
WITHOUT = ("checkpoints", "compiled", "predictions")  # too large to bring back
FOLDER = gpu_neu.SCRATCH / "studies"


def main() -> None:
    """Installs, runs the studies, stops, packs."""
    started = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bundle", type=Path, default=PROJECT / "bundle")
    parser.add_argument("--data", type=Path, required=True, help="built data sets")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--study", nargs="+", required=True, help="files, with their arguments")
    parser.add_argument("--minutes", type=float, required=True, help="of the whole command")
    parser.add_argument("--set", nargs="*", default=[], help="KEY=VALUE, of all studies")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    environment = gpu_neu.install(given.bundle.resolve())
    deadline = started + 60 * given.minutes - PACKING_SECONDS - STOPPING_SECONDS
    failed = []
    for study in given.study:
        folder = FOLDER / name_of(study)
        command = [
            *(sys.executable, str(PROJECT / "run.py"), f"--config={study}"),
            *(f"--config.{setting}" for setting in given.set),
            f"--config.data_dir={given.data.resolve()}",
            f"--workdir={folder}",
        ]
        status = run(command, environment, deadline - time.monotonic())
        ended = "not started, no time is left" if status is None else f"exit status {status}"
        print(f"[{time.monotonic() - started:.0f} s] {study}: {ended}", flush=True)
        failed += [] if status == 0 else [study]
    pack(FOLDER, given.out)
    if failed:
        raise SystemExit(f"not finished: {', '.join(failed)}; the logs are in the tar")


def name_of(study: str) -> str:
    """The folder of a study: its file and its argument."""
    file, _, argument = study.partition(":")
    return "_".join([Path(file).stem, *argument.split(",")]).rstrip("_")


def run(command: list[str], environment: dict[str, str], seconds: float) -> int | None:
    """Runs a command, asks it to stop when its time ends; its exit status, None without time."""
    if seconds <= 0:
        return None
    print("$", *command, flush=True)
    process = subprocess.Popen(command, env=environment, cwd=PROJECT)
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(timeout=STOPPING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()  # its trainings end with it
        return process.wait()


def pack(folder: Path, out: Path) -> None:
    """Writes the files of the work directories into a tar in parts."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for file in sorted(folder.rglob("*")):
            relative = file.relative_to(folder)
            if file.is_file() and not set(WITHOUT) & set(relative.parts):
                archive.add(file, str(relative))
    gpu_neu.write_parts(buffer.getvalue(), out, "study")


if __name__ == "__main__":
    main()
