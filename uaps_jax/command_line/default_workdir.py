"""The work directory of a run for which none is given."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = "runs"


def default_workdir(config_file: str) -> Path:
    """`runs/<name>`, in the working directory, for what `--config` names.

    The name is that of the file without `.py`, then what stands behind the colon, word by word: of
    `key=value` the value.

    Example:
      >>> str(default_workdir("configs/neu_uaps.py:small"))
      'runs/neu_uaps_small'
    """
    file, _, argument = config_file.partition(":")
    words = [Path(file).stem, *(word.rpartition("=")[2] for word in argument.split(","))]
    name = "_".join(word for word in words if word)
    return Path(FOLDER, re.sub(r"[^\w.-]", "_", name))
