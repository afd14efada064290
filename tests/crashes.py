"""Kills a training repeatedly, and compares its last state with that of an uninterrupted one.

    python -m tests.crashes --methods uaps mean_teacher cps --kills 20 --seed 0

Every kill is SIGKILL to a real `run.py`. Some fall at any moment after the start, some at a random
moment of a step, and some are aimed: at the writing of a checkpoint, which is proven by the
temporary folder that is left behind, and at the writing of a compiled program, by a file that is
shorter than it should be. The list of moments is printed; with the same seed it is drawn again, as
far as the machine allows.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from uaps_jax.training import checkpoints, workdir

PROJECT = Path(__file__).resolve().parents[1]
STEPS = 80
AIMED = {"checkpoint": 6, "cache": 1, "start": 3}  # of 20 kills; the others hit a random step
TEMPORARY = ".orbax-checkpoint-tmp"
PATIENCE_S = 300
TRIES = 12

# A training whose process ends while it writes its compiled step: a part of the file is there.
CACHE_KILLER = """
import os, runpy, signal, sys
from jax._src import lru_cache

def put(self, key, value):
    path = self.path / f"{key}-cache"
    if path.exists():
        return
    if "train_step" in key:
        path.write_bytes(value[: int(len(value) * float(os.environ["CUT_AT"]))])
        os.kill(os.getpid(), signal.SIGKILL)
    path.write_bytes(value)

lru_cache.LRUCache.put = put
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def small_split(folder: Path) -> Path:
    """A file of a few of the embedded surfaces, which makes evaluations short."""
    lists = {
        "labeled": [f"train/{row:05d}" for row in range(16)],
        "unlabeled": [f"train/{row:05d}" for row in range(16, 64)],
        "val": [f"val/{row:05d}" for row in range(12)],
        "test": [f"test/{row:05d}" for row in range(12)],
    }
    file = folder / "split.json"
    file.write_text(json.dumps(lists))
    return file


def settings(folder: Path, method: str, steps: int) -> list[str]:
    """Flags of a training of seconds on the embedded surfaces, which are built in a folder."""
    return [
        f"--config=configs/train.py:dataset=synthetic,method={method}",
        f"--config.data.data_dir={folder / 'data'}",
        "--config.data.protocol=file",
        f"--config.data.split_file={small_split(folder)}",
        "--config.data.labeled_ratio=1.0",
        "--config.data.height=32",
        "--config.data.width=32",
        "--config.network.widths=(4,6,8)",
        "--config.network.dropout=(0.05,0.1,0.5)",
        "--config.network.auxiliary=1",
        f"--config.train.steps={steps}",
        "--config.train.eval_every=8",
        "--config.train.log_every=1",
        "--config.checkpoint.every=3",
    ]


def environment(folder: Path) -> dict[str, str]:
    """Environment of quick compilations, which are cached in a folder."""
    return os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    }


class Trial:
    """One training of a method, in a folder of its own beside the others'."""

    def __init__(self, folder: Path, method: str, name: str, steps: int) -> None:
        """Prepares the command; `folder` is shared by the trials for data and programs."""
        self.workdir = folder / name
        self.compiled = folder / "compiled"
        self.steps = steps
        self.started_ns = 0
        self.environment = environment(folder) | {"UAPS_JAX_STARTED": "1"}
        self.command = ["run.py", *settings(folder, method, steps), f"--workdir={self.workdir}"]

    @property
    def log(self) -> Path:
        """The log of all its processes."""
        return self.workdir.parent / f"{self.workdir.name}.log"

    def start(
        self, *more: str, before: Sequence[str] = (), **environment: str
    ) -> subprocess.Popen[bytes]:
        """Starts or resumes it with more flags; its output is added to the log."""
        self.started_ns = time.time_ns()
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *before, *self.command, *more],
                cwd=PROJECT,
                env=self.environment | environment,
                stdout=log,
                stderr=log,
            )

    def finish(self) -> None:
        if status := self.start().wait(PATIENCE_S):
            raise RuntimeError(f"{self.workdir.name} ended with status {status}; see its log")

    def step(self) -> int:
        """The last step that is logged; 0 before the first."""
        file = self.workdir / workdir.METRICS
        lines = file.read_text().split("\n")[:-1] if file.exists() else []
        return max((json.loads(line)["step"] for line in lines), default=0)

    def wait_for(self, step: int, *processes: subprocess.Popen[bytes]) -> None:
        """Returns when a step is logged by these processes, not by one that was killed."""
        deadline = time.monotonic() + PATIENCE_S
        file = self.workdir / workdir.METRICS
        while not file.exists() or file.stat().st_mtime_ns < self.started_ns or self.step() < step:
            ended = any(process.poll() is not None for process in processes)
            if ended or time.monotonic() > deadline:
                raise RuntimeError(f"{self.workdir.name} did not come to step {step}; see its log")
            time.sleep(0.002)

    def being_written(self) -> list[str]:
        """Checkpoints that are not complete."""
        folder = self.workdir / "checkpoints"
        return [f for f in os.listdir(folder) if TEMPORARY in f] if folder.is_dir() else []


def kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a process at once with SIGKILL."""
    process.send_signal(signal.SIGKILL)
    if process.wait(60) != -signal.SIGKILL:
        raise RuntimeError(f"the process ended by itself, with status {process.returncode}")


def kill_at_step(trial: Trial, generator: random.Random, step: int) -> str:
    """Kills at a random moment of a step and of the code after it."""
    process = trial.start()
    trial.wait_for(step, process)
    delay = generator.uniform(0, 0.1)
    time.sleep(delay)
    kill(process)
    return f"{1000 * delay:.0f} ms after step {step} was logged"


def kill_at_start(trial: Trial, generator: random.Random, step: int) -> str:
    """Kills at a random moment of the first seconds: imports, data, compilation, restoring."""
    del step
    process = trial.start()
    delay = generator.uniform(0.1, 7.0)
    time.sleep(delay)
    kill(process)
    return f"{delay:.2f} s after the start"


def kill_in_checkpoint(trial: Trial, generator: random.Random, step: int) -> str:
    """Kills while a checkpoint is written: its temporary folder is left.

    A write that was over before the signal came is no proof; it is tried again, a step later.
    """
    for attempt in range(TRIES):
        process = trial.start()
        trial.wait_for(step, process)
        deadline = time.monotonic() + PATIENCE_S
        old = set(trial.being_written())
        while not set(trial.being_written()) - old:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{trial.workdir.name} wrote no checkpoint; see its log")
        delay = generator.uniform(0, 0.03)
        time.sleep(delay)
        kill(process)
        if left := sorted(set(trial.being_written()) - old):
            folder = trial.workdir / "checkpoints" / left[0]
            size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
            again = f", at the {attempt + 1}th try" if attempt else ""
            return f"{1000 * delay:.0f} ms into writing {left[0]}, {size} bytes are left{again}"
    raise RuntimeError(f"no kill in {TRIES} hit the writing of a checkpoint")


def kill_in_cache(trial: Trial, generator: random.Random, step: int) -> str:
    """Kills while the compiled step is written for the next process."""
    del step
    for file in trial.compiled.glob("jit_train_step-*"):
        file.unlink()
    share = generator.uniform(0.05, 0.95)
    process = trial.start(before=("-c", CACHE_KILLER), CUT_AT=str(share))
    if process.wait(PATIENCE_S) != -signal.SIGKILL:
        raise RuntimeError(f"{trial.workdir.name} wrote no compiled step; see its log")
    [file] = trial.compiled.glob("jit_train_step-*-cache")
    return f"{file.stat().st_size} bytes, {100 * share:.0f} %, of the compiled step are written"


KINDS = {
    "step": kill_at_step,
    "start": kill_at_start,
    "checkpoint": kill_in_checkpoint,
    "cache": kill_in_cache,
}


def schedule(kills: int, steps: int, generator: random.Random) -> list[tuple[str, int]]:
    """The kinds of kills and, ascending, their steps."""
    kinds = [kind for kind, count in AIMED.items() for _ in range(round(count * kills / 20))]
    kinds += ["step"] * (kills - len(kinds))
    generator.shuffle(kinds)
    targets = sorted(generator.sample(range(1, steps - 2 * TRIES), kills))
    return list(zip(kinds, targets, strict=True))


def interrupted(
    trial: Trial, plan: Sequence[tuple[str, int]], seed: int, *, finish: bool = True
) -> list[str]:
    """Runs a training with its kills to its end; returns their moments."""
    generator = random.Random(seed)
    moments = []
    for number, (kind, step) in enumerate(plan, start=1):
        where = KINDS[kind](trial, generator, step)
        moments.append(f"{number:3d} {kind:10s} at step {trial.step():3d}: {where}")
        print(moments[-1], flush=True)
    if finish:
        trial.finish()
    return moments


def arrays_of(checkpoint: Path) -> dict[str, np.ndarray]:
    """Every array of a checkpoint's state, by name."""
    leaves = jax.tree_util.tree_leaves_with_path(checkpoints.read_arrays(checkpoint / "state"))
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def final_arrays(trial: Trial) -> dict[str, np.ndarray]:
    """Every array of the last state of a trial, by name."""
    return arrays_of(trial.workdir / "checkpoints" / str(trial.steps))


def differences(one: Trial, other: Trial) -> list[str]:
    """Names of the arrays of the last states that are not the same to the bit."""
    a, b = final_arrays(one), final_arrays(other)
    if len(a) < 20:
        raise RuntimeError(f"{one.workdir} ends with no state to compare")
    same = {n for n in a.keys() & b.keys() if a[n].tobytes() == b[n].tobytes()}
    return sorted((a.keys() | b.keys()) - same)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--methods", nargs="+", default=["uaps", "mean_teacher", "cps"])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--keep", type=Path, help="folder for the runs, kept afterwards")
    given = parser.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="crashes_"))
    folder.mkdir(parents=True, exist_ok=True)
    failed = []
    for method in given.methods:
        print(f"{method}: {given.kills} kills, seed {given.seed}, {given.steps} steps", flush=True)
        whole, killed = (
            Trial(folder, method, f"{method}_{name}", given.steps) for name in ("whole", "killed")
        )
        whole.finish()
        plan = schedule(given.kills, given.steps, random.Random(given.seed))
        interrupted(killed, plan, given.seed)
        wrong = differences(whole, killed)
        count = len(final_arrays(whole))
        output = f"differs in {len(wrong)}: {wrong[:3]}" if wrong else "is identical to the bit"
        print(f"{method}: the state of {count} arrays {output}\n", flush=True)
        failed += [method] * bool(wrong)
    if not given.keep:
        shutil.rmtree(folder)
    sys.exit(f"not identical: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
