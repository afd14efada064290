"""NEU-Seg at the paper's setting on a GPU machine without network.

Here, with network and the downloaded archive:

    python -m benchmarks.gpu_neu gather --archive=NEU_Seg-main.zip --bundle=bundle

There, with Python 3.12 and JAX for the GPU (each call resumes the run):

    python3 benchmarks/gpu_neu.py run --bundle=bundle --out=$OUT --run=uaps_float32 --minutes=9

The results are files below 16 MiB in `--out`: the metrics in `<run>.json` and
`<run>_metrics.jsonl`, pictures, and the checkpoints in parts, from which `--resume=FOLDER` resumes
the run on another machine. Until the bundle is installed, this file needs only Python's standard
library.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
SCRATCH = PROJECT / "runs" / "gpu"  # not in the bundle, which has to stay small
SCORING_MINUTES = 1.5  # of a call's minutes, kept for scoring and packing
PART = 15 * 2**20  # bytes; files above 16 MiB cannot be copied back
RUNS = {
    "uaps_float32": ("neu_uaps", ["--config.network.dtype=float32"]),
    "uaps_bfloat16": ("neu_uaps", ["--config.network.dtype=bfloat16"]),
    "supervised_float32": ("neu_supervised", ["--config.network.dtype=float32"]),
    "supervised_bfloat16": ("neu_supervised", ["--config.network.dtype=bfloat16"]),
    "cps_float32": ("neu_cps", ["--config.network.dtype=float32"]),
    "cct_float32": ("neu_cct", ["--config.network.dtype=float32"]),
}
PUBLISHED = {"neu_uaps": 75.77, "neu_supervised": 72.93, "neu_cps": 74.98, "neu_cct": 74.56}
"""Test image_iou at 10 % labels (UAPS, Fig. on the loss ablation; ProMSC, Table 1)."""

# Missing on a machine with JAX, Flax, Optax and Orbax; `promise` has no wheel and is built here.
WHEELS = [
    "array_record",
    "dm-tree",
    "docstring-parser",
    "googleapis-common-protos",
    "grain",
    "immutabledict",
    "importlib_resources",
    "ml_collections",
    "portpicker",
    "simple-parsing",
    "six",
    "tensorboardX",
    "tensorflow-datasets",
    "tensorflow-metadata",
    "termcolor",
    "toml",
    "tqdm",
]
BUILT = ["promise"]
PLATFORMS = [f"manylinux_2_{n}_x86_64" for n in (28, 27, 24, 17)] + ["manylinux2014_x86_64"]


def gather(archive: Path, bundle: Path, python: str) -> None:
    """Collects the wheels and the archive."""
    wheels = bundle / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip"]
    target = [f"--python-version={python}", "--implementation=cp"]
    target += [f"--platform={name}" for name in PLATFORMS]
    for name in WHEELS:
        call(
            [
                *pip,
                "download",
                "-q",
                "--no-deps",
                "--only-binary=:all:",
                *target,
                "-d",
                wheels,
                name,
            ]
        )
    for name in BUILT:
        call([*pip, "wheel", "-q", "--no-deps", "-w", str(wheels), name])
    (bundle / "archive").mkdir(exist_ok=True)
    shutil.copy(archive, bundle / "archive" / archive.name)
    size = sum(f.stat().st_size for f in bundle.rglob("*") if f.is_file())
    print(f"{bundle}: {size / 2**20:.1f} MiB")


def run(
    bundle: Path,
    out: Path,
    name: str,
    minutes: float,
    resume: Path | None,
    variant: str,
    extra: Sequence[str],
) -> None:
    """Trains for the given minutes or to the end, then scores and packs the results."""
    started = time.monotonic()
    environment = install(bundle)
    directory = SCRATCH / name
    if resume is not None:
        unpack(resume, directory)
    config, overrides = RUNS[name]
    command: list[str | Path] = [
        sys.executable,
        PROJECT / "run.py",
        f"--config={PROJECT}/configs/{config}.py{f':{variant}' if variant else ''}",
        f"--workdir={directory}",
        f"--config.data.data_dir={SCRATCH / 'data'}",
        f"--config.data.manual_dir={bundle / 'archive'}",
        *overrides,
        *extra,
    ]
    try:
        left = 60 * (minutes - SCORING_MINUTES) - (time.monotonic() - started)
        if not call(command, environment, left):
            for which in ("latest", "best"):
                call([*command, "--mode=evaluate", f"--checkpoint={which}"], environment)
            call([*command, "--mode=predict"], environment)
    finally:
        pack(directory, out, name, config)


def install(bundle: Path) -> dict[str, str]:
    """Installs the bundle's wheels in a folder; returns the environment that uses it."""
    site = SCRATCH / "site"
    if not site.is_dir():
        wheels = sorted((bundle / "wheels").glob("*.whl"))
        options = ["--no-index", "--no-deps", "--no-compile", f"--target={site}"]
        call([sys.executable, "-m", "pip", "install", "-q", *options, *wheels])
    path = os.pathsep.join([str(PROJECT), str(site)])
    return os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def call(
    command: Sequence[str | Path],
    environment: dict[str, str] | None = None,
    limit: float | None = None,
) -> bool:
    """Runs a command; False if it failed or had to be killed at its time limit.

    A kill loses the steps since the last checkpoint and nothing else.
    """
    print("$", *command, flush=True)
    try:
        done = subprocess.run([str(c) for c in command], env=environment, timeout=limit)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def unpack(parts: Path, directory: Path) -> None:
    """Unpacks the parts of a run into its work directory, unless that exists."""
    files = sorted(parts.glob(f"{directory.name}.tar.*"))
    if directory.exists() or not files:
        return
    content = io.BytesIO(b"".join(file.read_bytes() for file in files))
    with tarfile.open(fileobj=content) as archive:
        archive.extractall(directory, filter="data")


def pack(directory: Path, out: Path, name: str, config: str) -> None:
    """Writes the summary, the metrics, the pictures, and the latest checkpoint in parts."""
    if not (directory / "config.json").exists():
        print(f"{directory} holds no run: nothing to pack")
        return
    out.mkdir(parents=True, exist_ok=True)
    lines = read_lines(directory / "metrics.jsonl")
    rates = [line["train/steps_per_second"] for line in lines if line.get("train/steps_per_second")]
    peaks = [line["train/peak_memory_gib"] for line in lines if line.get("train/peak_memory_gib")]
    settings = json.loads((directory / "config.json").read_text())
    batch = settings["train.batch_labeled"]
    batch += settings["train.batch_unlabeled"] if config != "neu_supervised" else 0
    rate = sorted(rates)[len(rates) // 2] if rates else None
    summary = {
        "run": name,
        "published_image_iou": PUBLISHED[config],
        "steps_done": max((line["step"] for line in lines), default=0),
        "median_steps_per_second": rate,
        "median_images_per_second": None if rate is None else rate * batch,
        "peak_memory_gib": max(peaks, default=None),
        "evaluations": read_lines(directory / "evaluations.jsonl"),
        "config": settings,
    }
    (out / f"{name}.json").write_text(json.dumps(summary, indent=1) + "\n")
    for file in ("metrics.jsonl", "contact_sheet.png"):
        if (directory / file).exists():
            shutil.copy(directory / file, out / f"{name}_{file}")
    content = checkpoint_archive(directory) if (directory / "checkpoints").exists() else b""
    write_parts(content, out, name)
    print(json.dumps({k: v for k, v in summary.items() if k not in ("config", "evaluations")}))


def write_parts(content: bytes, out: Path, name: str) -> None:
    """Writes a tar in parts that can be copied back, in place of earlier ones of this name."""
    for old in out.glob(f"{name}.tar.*"):
        old.unlink()
    for number, start in enumerate(range(0, len(content), PART)):
        (out / f"{name}.tar.{number:02d}").write_bytes(content[start : start + PART])


def saved_steps(directory: Path) -> list[int]:
    """The steps of a run's checkpoints, ascending."""
    saved = directory / "checkpoints"
    names = (path.name for path in saved.iterdir()) if saved.is_dir() else ()
    return sorted(int(name) for name in names if name.isdigit())


def checkpoint_archive(directory: Path) -> bytes:
    """A tar of what resuming needs: the latest state, and the variables of the best checkpoint."""
    steps = saved_steps(directory)
    if not steps:
        return b""
    ranks = []
    for step in steps:
        file = directory / "checkpoints" / str(step) / "metrics" / "metrics"
        if file.exists():
            ranks.append((json.loads(file.read_text())["image_dice"], -step))
    best = -max(ranks)[1] if ranks else steps[-1]
    # A state holds the variables and three times their size: no more than one fits.
    unneeded = {(best, "state"), (steps[-1], "variables")} if best != steps[-1] else set()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("config.json", "split.json", "metrics.jsonl", "evaluations.jsonl"):
            if (directory / name).exists():
                archive.add(directory / name, name)
        for step in sorted({best, steps[-1]}):
            for item in sorted((directory / "checkpoints" / str(step)).iterdir()):
                if (step, item.name) not in unneeded:
                    archive.add(item, item.relative_to(directory))
    return buffer.getvalue()


def read_lines(file: Path) -> list[dict]:
    """The lines of a file of JSON lines, without an incomplete last one; none if it is absent."""
    lines = file.read_text().split("\n")[:-1] if file.exists() else []
    return [json.loads(line) for line in lines]


def main() -> None:
    """Reads the arguments; what `run` does not know goes to run.py."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("gather", "run"):
        sub = commands.add_parser(command)
        sub.add_argument("--bundle", type=Path, default=PROJECT / "bundle")
        if command == "gather":
            sub.add_argument("--archive", type=Path, required=True, help="NEU-Seg as downloaded")
            sub.add_argument("--python", default="3.12", help="Python of the other machine")
        else:
            sub.add_argument("--out", type=Path, required=True)
            sub.add_argument("--run", choices=RUNS, required=True)
            sub.add_argument("--minutes", type=float, default=8)
            sub.add_argument("--resume", type=Path, help="folder with the parts of checkpoints")
            sub.add_argument("--variant", default="", help="small or medium: a short run")
    known, extra = parser.parse_known_args()
    if known.command == "gather":
        if extra:
            parser.error(f"unknown arguments: {extra}")
        gather(known.archive, known.bundle.resolve(), known.python)
    else:
        paths = known.bundle.resolve(), known.out.resolve()
        run(*paths, known.run, known.minutes, known.resume, known.variant, extra)


if __name__ == "__main__":
    main()
