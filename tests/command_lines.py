"""Several command lines in one process, which takes seconds to start."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags as absl_flags

from uaps_jax.command_line import flags


def parse(arguments: Sequence[str]) -> list[str]:
    """`flags.parse`, as if it were the first command line of the process."""
    absl_flags.FLAGS.unparse_flags()
    for name in [name for name in absl_flags.FLAGS if name.startswith("config.")]:
        delattr(absl_flags.FLAGS, name)  # ml_collections defines a flag for each override
    sys.argv = list(arguments)  # where it reads them
    return flags.parse(sys.argv)


def ends(lines: Sequence[Sequence[str]], environment: Mapping[str, str]) -> list[Any]:
    """The exit message or the result of each command line, all run by one new process."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.command_lines"],
        cwd=Path(__file__).resolve().parents[1],
        env=environment,
        input=json.dumps(lines),
        capture_output=True,
        text=True,
        check=False,
    )
    output = [line for line in done.stdout.splitlines() if line.startswith("end ")]
    assert len(output) == len(lines), done.stderr[-3000:]
    return [json.loads(line.removeprefix("end ")) for line in output]


def main() -> None:
    """Runs the command lines of standard input, a JSON list, and prints the exit of each."""
    for arguments in json.load(sys.stdin):
        try:
            end = flags.run(parse(arguments))
        except SystemExit as stopped:
            end = stopped.code
        except BaseException:
            end = traceback.format_exc()
        print("end", json.dumps(end), flush=True)


if __name__ == "__main__":
    main()
