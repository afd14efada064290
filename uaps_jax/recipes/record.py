"""`stage.json`: what a stage was made from and which files it wrote."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uaps_jax import files
from uaps_jax.child_process import LOG
from uaps_jax.config import ConfigError
from uaps_jax.recipes.stage import Stage, Training

FILE = "stage.json"

PREVIOUS = ".previous-"
"""What stands between the name of a folder and a number when its stage is run again."""

OF_TRAINING = ("result.json", "checkpoints")
"""The files of a training that others read; evaluation and export add more, which do not count."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """What a stage was made from and which files it wrote.

    Attributes:
      settings: `settings` of the stage.
      inputs: name of an input -> digest of its files; "data" is that of the recipe's data.
      outputs: file, relative to the folder -> its digest; None before the stage is done.
      seconds: that it took, without those of a session that was killed.
      finished: date and time; "" before the stage is done.
    """

    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str] | None = None
    seconds: float = 0.0
    finished: str = ""

    @property
    def digest(self) -> str:
        """Of the files of a stage that is done, 16 hexadecimal digits."""
        assert self.outputs is not None
        return hashlib.sha256(json.dumps(self.outputs, sort_keys=True).encode()).hexdigest()[:16]


def write(folder: Path, record: Record) -> None:
    text = json.dumps(dataclasses.asdict(record), indent=1)
    files.write_text(folder / FILE, text + "\n")


def read(folder: Path) -> Record | None:
    """The record of a stage; None if the stage has not been started.

    Raises:
      ConfigError: it cannot be read, or the folder holds something else.
    """
    file = folder / FILE
    if not file.exists():
        if folder.exists() and any(not f.name.startswith(".") for f in folder.iterdir()):
            raise ConfigError(
                f"{folder} has no {FILE}: it is not a stage of a recipe. Move it, or use another "
                "--workdir"
            )
        return None
    try:
        return Record(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{file} cannot be read ({error}); move the folder {folder}, so that the stage is run "
            "again"
        ) from error


def outputs(stage: Stage, folder: Path) -> dict[str, str]:
    """The files of a stage and their digests, without hidden files and the output of a process."""
    roots = [folder / name for name in OF_TRAINING] if isinstance(stage, Training) else [folder]
    found = [file for root in roots for file in ([root] if root.is_file() else root.rglob("*"))]
    others = (folder / FILE, folder / LOG)
    return {
        file.relative_to(folder).as_posix(): _digest(file)
        for file in sorted(found)
        if file.is_file() and not file.name.startswith(".") and file not in others
    }


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:16]


def changed_by_hand(stage: Stage, folder: Path, record: Record) -> list[str]:
    """The files of a stage that is done that were changed, removed or added since."""
    before, now = record.outputs or {}, outputs(stage, folder)
    return sorted(name for name in before.keys() | now if before.get(name) != now.get(name))
