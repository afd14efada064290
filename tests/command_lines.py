"""Several command lines of `run.py` in one process, which takes seconds to start."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Sequence

from absl import flags

import run


def parse(arguments: Sequence[str]) -> list[str]:
    """`run.parse`, as if it were the first command line of the process."""
    flags.FLAGS.unparse_flags()
    for name in [name for name in flags.FLAGS if name.startswith("config.")]:
        delattr(flags.FLAGS, name)  # ml_collections defines a flag for each override
    sys.argv = list(arguments)  # where it reads them
    return run.parse(sys.argv)


def main() -> None:
    """Runs the command lines of standard input, a JSON list, and prints the exit of each."""
    for arguments in json.load(sys.stdin):
        try:
            end = run.main(parse(arguments))
        except SystemExit as stopped:
            end = stopped.code
        except BaseException:
            end = traceback.format_exc()
        print("end", json.dumps(end), flush=True)


if __name__ == "__main__":
    main()
