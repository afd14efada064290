"""Detection of damaged checkpoints by their checksums."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import orbax.checkpoint as ocp
from absl import logging

from uaps_jax.training import digests
from uaps_jax.training.checkpoints.files import (
    CheckpointError,
    NewerFormatError,
    folder,
    json_text,
    read_arrays,
    saved_rank,
    saved_steps,
)
from uaps_jax.training.checkpoints.formats import FORMAT

SMALL_ITEMS = ("written_by", "config", "data", "metrics")
ITEMS = (*SMALL_ITEMS, "state", "variables")


def fingerprint(workdir: Path, step: int) -> int | None:
    """A checksum of the variables of a checkpoint; None for one that has no checksums."""
    item = folder(workdir) / str(step) / "digests"
    if not item.is_dir():
        return None
    stored = ocp.JsonCheckpointHandler().restore(item)
    return digests.of_text(json_text(stored["variables"]))


def verify(workdir: Path, step: int, items: Sequence[str] = ITEMS) -> None:
    """Reads items of a checkpoint and compares them with their checksums.

    Raises:
      CheckpointError: it is damaged; lists the damaged items.
      NewerFormatError: it is of a later version of this package.
      PermissionError: its files are not readable for this user.
    """
    path = folder(workdir) / str(step)
    if not (path / "digests").is_dir():
        if (path / "written_by").is_dir():
            raise CheckpointError(f"checkpoint {path} is damaged: its checksums are missing")
        logging.warning("checkpoint %s is of a version that wrote no checksums", path)
        return
    wrong: list[str] = []
    try:
        reader = ocp.JsonCheckpointHandler()
        expected = reader.restore(path / "digests")
        for item in items:
            if item == "written_by" and item not in expected and not (path / item).exists():
                continue
            if item in ("state", "variables"):
                damaged = digests.differences(read_arrays(path / item), expected[item])
                wrong += [f"{item}/{name}" for name in damaged]
                continue
            file = path / "metrics" / "metrics"
            if item != "metrics":
                value = reader.restore(path / item)
            else:
                value = json.loads(file.read_text()) if file.parent.is_dir() else None
            if digests.of_text(json_text(value)) != expected.get(item):
                wrong.append(item)
            elif item == "written_by" and value["format"] > FORMAT:
                raise NewerFormatError(
                    f"checkpoint {path} is of format {value['format']}; this version of uaps_jax "
                    f"reads formats up to {FORMAT}: use the one that wrote it, or a later one"
                )
    except (PermissionError, MemoryError, NewerFormatError):
        raise
    except Exception as error:  # libraries raise many types for damaged files
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(f"checkpoint {path} cannot be read: {reason}") from error
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise CheckpointError(
            f"checkpoint {path} is damaged: {', '.join(wrong[:3])}{more} do not have the "
            "checksums they were saved with"
        )


def move_damaged(workdir: Path) -> None:
    """Moves damaged checkpoints to the folder `damaged/`, and logs it.

    From the latest and from the best checkpoint on, all items are verified until one is sound; of
    the others only the small items, which are needed to open the folder.

    Raises:
      CheckpointError: all are damaged; none is moved.
      NewerFormatError: one is of a later version; none is moved.
    """
    steps = saved_steps(workdir)
    damaged: dict[int, CheckpointError] = {}

    def is_sound(step: int, items: Sequence[str]) -> bool:
        try:
            verify(workdir, step, items)
        except NewerFormatError:
            raise
        except CheckpointError as error:
            damaged[step] = error
        return step not in damaged

    readable = [step for step in steps if is_sound(step, SMALL_ITEMS)]
    latest = next((step for step in reversed(readable) if is_sound(step, ITEMS)), None)
    if steps and latest is None:
        raise CheckpointError(
            f"all checkpoints are damaged, and nothing was changed: {damaged[steps[-1]]}"
        )
    ranks = {step: rank for step in readable if (rank := saved_rank(workdir, step))}
    for step in sorted(ranks, key=lambda step: ranks[step], reverse=True):
        if step not in damaged and (step == latest or is_sound(step, ITEMS)):
            break
    aside = folder(workdir).resolve().parent / "damaged"
    for step, error in damaged.items():
        aside.mkdir(exist_ok=True)
        path = aside / f"{step}_{time.time_ns()}"
        (folder(workdir) / str(step)).rename(path)
        logging.error("%s. It is now in %s", error, path)
