"""Several command lines in one process, which takes seconds to start."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Sequence

from absl import flags as absl_flags

from uaps_jax.command_line import flags


def parse(arguments: Sequence[str]) -> list[str]:
    """`flags.parse`, as if it were the first command line of the process."""
    absl_flags.FLAGS.unparse_flags()
    for name in [name for name in absl_flags.FLAGS if name.startswith("config.")]:
        delattr(absl_flags.FLAGS, name)  # ml_collections defines a flag for each override
    sys.argv = list(arguments)  # where it reads them
    return flags.parse(sys.argv)


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
