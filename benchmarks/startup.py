"""From the start of the process to the first finished step, before and after programs are compiled.

    python -m benchmarks.startup --size=128

Runs `run.py` on the embedded surfaces, twice with one empty folder for compiled programs: cold,
then warm. The dataset is built before. The results go to `benchmarks/results/startup.jsonl`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import record

PROJECT = Path(__file__).resolve().parents[1]
LINE = "first step, compilation included"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=128, help="side of an image in pixels")
    parser.add_argument("--batch", type=int, default=4, help="labeled images; unlabeled as many")
    parser.add_argument("--config", default="configs/synthetic_uaps.py")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "run.py",
            f"--config={given.config}",
            f"--config.data.data_dir={folder}/data",
            f"--config.data.height={given.size}",
            f"--config.data.width={given.size}",
            f"--config.train.batch_labeled={given.batch}",
            f"--config.train.batch_unlabeled={given.batch}",
        ]
        environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": f"{folder}/compiled"}
        split = [*command, "--mode=split", f"--workdir={folder}/split"]
        subprocess.run(split, cwd=PROJECT, env=environment, check=True, capture_output=True)
        seconds = {
            which: first_step([*command, f"--workdir={folder}/{which}"], environment)
            for which in ("cold", "warm")
        }
    print(
        f"{given.size} px, {given.batch} + {given.batch}, {os.cpu_count()} cores: first step after"
    )
    print(", ".join(f"{value:.1f} s {which}" for which, value in seconds.items()))
    record("startup", vars(given) | {"cores": os.cpu_count(), "seconds": seconds})


def first_step(command: list[str], environment: dict[str, str]) -> float:
    """Seconds until a run logs the end of its first step; it is killed then."""
    started = time.perf_counter()
    with subprocess.Popen(
        command, cwd=PROJECT, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        logged = []
        for line in process.stderr:
            logged.append(line)
            if LINE in line:
                seconds = time.perf_counter() - started
                process.kill()
                return seconds
    raise SystemExit("the run ended before its first step:\n" + "".join(logged[-20:]))


if __name__ == "__main__":
    main()
