"""The default work directory of a run."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = "runs"


def default_workdir(config_file: str) -> Path:
    """`runs/<name>`, relative to the working directory.

    The name consists of the name of the configuration file without `.py` and of the words of its
    argument after the colon; of a word `key=value`, of the value.

    Args:
      config_file: the value of `--config`.

    Example:
      >>> str(default_workdir("configs/neu_uaps.py:small"))
      'runs/neu_uaps_small'
    """
    file, _, argument = config_file.partition(":")
    words = [Path(file).stem, *(word.rpartition("=")[2] for word in argument.split(","))]
    name = "_".join(word for word in words if word)
    return Path(FOLDER, re.sub(r"[^\w.-]", "_", name))
