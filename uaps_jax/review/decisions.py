"""What a person decided on the images of a queue, on disk.

The decision on an image and its corrected mask are one file, `decisions/<rank>.json`, which is
replaced as a whole. `annotated/`, the folder of accepted and corrected images with their masks, and
`decisions.csv` are made of these files: after every decision, and completely at the start.
"""

from __future__ import annotations

import base64
import csv
import datetime
import io
import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from uaps_jax import files, palette
from uaps_jax.annotation_queue import entry as entries_lib
from uaps_jax.annotation_queue.entry import Entry, Queue
from uaps_jax.annotations import mask_form
from uaps_jax.annotations.mask_form import MaskForm, MaskFormError
from uaps_jax.config import ConfigError
from uaps_jax.datasets.common import UnreadableError
from uaps_jax.datasets.folder import class_map, encode
from uaps_jax.datasets.regular_files import read_regular
from uaps_jax.labels import IGNORE
from uaps_jax.review import annotated
from uaps_jax.review.annotated import AnnotatedFolder, Missing, sha256

TABLE = "decisions.csv"

State = Literal["undecided", "accepted", "corrected", "rejected", "to_correct"]
Action = Literal["accept", "reject", "mark", "clear", "draft"]
ACTIONS: tuple[Action, ...] = get_args(Action)

WITH_MASK: tuple[State, ...] = ("accepted", "corrected")
"""The states of the images of `annotated/`."""


class Decision(NamedTuple):
    """The state of an image.

    Attributes:
      state: "corrected" is accepted with a mask that is not the proposal; "to_correct" is left for
        another program.
      version: number of changes.
      time: of the last one, ISO 8601 in UTC; "" before it.
      mask: PNG of class ids; None for the proposal.
      exported: SHA-256, hexadecimal, of the masks in `annotated/` that were written here: the last
        one is that of this decision, if it is one with a mask.
    """

    state: State = "undecided"
    version: int = 0
    time: str = ""
    mask: bytes | None = None
    exported: tuple[str, ...] = ()


class Stale(Exception):
    """A change of a version that is not the last."""


class Decisions:
    """The decisions on a queue; may be used by several threads, and by one process at a time."""

    def __init__(self, queue: Queue) -> None:
        """Reads them.

        Raises:
          ConfigError: a file is damaged.
        """
        self.queue = queue
        self._lock = threading.Lock()
        ids = [*range(len(queue.class_names)), IGNORE]
        self._classes = class_map.ClassMap(queue.class_names, {i: i for i in ids})
        try:
            form = mask_form.read(queue.folder, queue.class_names)
        except MaskFormError as error:
            raise ConfigError(str(error)) from error
        self._form = form or MaskForm(self._classes, "")
        self._annotated = AnnotatedFolder(queue.folder, self._form)
        self._decisions = [self._read(entry) for entry in queue.entries]

    def __getitem__(self, rank: int) -> Decision:
        with self._lock:
            return self._decisions[rank - 1]

    def counts(self) -> Counter[State]:
        """Images by state."""
        with self._lock:
            return Counter(decision.state for decision in self._decisions)

    def proposal(self, rank: int) -> np.ndarray:
        """The predicted mask of an image, class ids, uint8 `[H, W]`.

        Raises:
          UnreadableError: its file is damaged.
          OSError: it cannot be read.
        """
        entry = self.queue.entries[rank - 1]
        file = self.queue.folder / "mask" / f"{entry.name}.png"
        return self._decoded(read_regular(file), entry)

    def mask(self, rank: int) -> np.ndarray:
        """The corrected mask, or the proposal; raises as `proposal`."""
        saved = self[rank].mask
        entry = self.queue.entries[rank - 1]
        return self.proposal(rank) if saved is None else self._decoded(saved, entry)

    def change(self, rank: int, action: Action, version: int, mask: np.ndarray | None) -> Decision:
        """Changes the state of an image, and writes it.

        Args:
          rank: of the image.
          action: what the person does; "draft" keeps a mask that is being painted, and leaves the
            image undecided, or marked for correction if it was.
          version: that the person saw.
          mask: class ids, uint8 `[H, W]`; None to leave it as it is.

        Raises:
          Stale: there is a newer version; nothing is changed.
          UnreadableError: the proposal is damaged, or the copy of the image was changed.
          OSError: a file cannot be read or written.
          ConfigError: another program has changed the files of the image in `annotated/`.
        """
        with self._lock:
            old = self._decisions[rank - 1]
            if version != old.version:
                raise Stale
            saved = old.mask
            if mask is not None:
                saved = None if np.array_equal(mask, self.proposal(rank)) else palette.png(mask)
            new = Decision(
                state=_state(action, old.state, is_changed=saved is not None),
                version=version + 1,
                time=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                mask=saved,
            )
            entry = self.queue.entries[rank - 1]
            self._annotated.check_own([(entry, old.exported)])
            there = self._annotated.mask_digest(entry)
            missing = self._missing(entry, new)
            new = _with_digests(new._replace(exported=() if there is None else (there,)), missing)
            self._keep(entry, new)
            self._export(entry, missing)
            self._write_table()
            return new

    def complete(self) -> None:
        """Makes `annotated/` and the table what the decisions say.

        Raises:
          UnreadableError: a proposal is damaged, or the copy of an image was changed.
          OSError: a file cannot be read or written.
          ConfigError: other programs have changed files of images in `annotated/`, or put them
            there; nothing is changed.
        """
        with self._lock:
            for name in (entries_lib.DECISIONS, annotated.FOLDER):
                for left in (self.queue.folder / name).rglob(".*.partial"):
                    left.unlink()  # of a process that was killed
            decided = list(zip(self.queue.entries, self._decisions, strict=True))
            self._annotated.check_own([(entry, decision.exported) for entry, decision in decided])
            for entry, decision in decided:
                missing = self._missing(entry, decision)
                if (new := _with_digests(decision, missing)) != decision:
                    self._keep(entry, new)
                self._export(entry, missing)
            self._write_table()

    def _file(self, entry: Entry) -> Path:
        return self.queue.folder / entries_lib.DECISIONS / f"{entry.rank:05d}.json"

    def _read(self, entry: Entry) -> Decision:
        file = self._file(entry)
        if not file.exists():
            return Decision()
        try:
            values = json.loads(read_regular(file))
            if (values["image"], values["sha256"]) != (entry.image, entry.sha256):
                raise ValueError(f"is of the image {values['image']!r}, not of {entry.image!r}")
            if values["state"] not in get_args(State):
                raise ValueError(f"state {values['state']!r} is none")
            coded = values["mask"]
            mask = None if coded is None else base64.b64decode(coded, validate=True)
            if mask is not None:
                self._decoded(mask, entry)
            exported = tuple(map(str, values["exported"]))
            version, time = int(values["version"]), str(values["time"])
            return Decision(values["state"], version, time, mask, exported)
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConfigError(f"{file}: is no decision of this queue: {error}") from error

    def _write(self, entry: Entry, decision: Decision) -> None:
        values: dict[str, Any] = {"image": entry.image, "sha256": entry.sha256}
        values |= decision._asdict()
        if decision.mask is not None:
            values["mask"] = base64.b64encode(decision.mask).decode()
        file = self._file(entry)
        file.parent.mkdir(exist_ok=True)
        files.write_text(file, json.dumps(values, ensure_ascii=False) + "\n")

    def _decoded(self, png: bytes, entry: Entry) -> np.ndarray:
        mask = class_map.decode_mask(png, self._classes)
        if mask.shape != (entry.height, entry.width):
            height, width = mask.shape
            raise UnreadableError(
                f"the mask has {width} x {height} pixels, the image {entry.width} x {entry.height}"
            )
        return mask

    def _missing(self, entry: Entry, decision: Decision) -> Missing | None:
        """What `annotated/` lacks of an image; None if it has no mask. Raises as `change`."""
        if decision.state not in WITH_MASK:
            return None
        return self._annotated.missing(entry, self._mask_bytes(entry, decision))

    def _mask_bytes(self, entry: Entry, decision: Decision) -> bytes:
        """The mask of a decision with the values of the data set that the image is of."""
        if self._form.classes.ids == self._classes.ids:
            return decision.mask or palette.png(self.proposal(entry.rank))
        saved = decision.mask
        ids = self.proposal(entry.rank) if saved is None else self._decoded(saved, entry)
        return encode.encoded(ids, self._form.classes)

    def _keep(self, entry: Entry, decision: Decision) -> None:
        self._write(entry, decision)
        self._decisions[entry.rank - 1] = decision

    def _export(self, entry: Entry, missing: Missing | None) -> None:
        if missing is None:
            self._annotated.remove(entry)
        else:
            self._annotated.write(entry, missing)

    def _write_table(self) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["rank", "image", "path", "decision", "time"])
        for entry, decision in zip(self.queue.entries, self._decisions, strict=True):
            writer.writerow([entry.rank, entry.image, entry.path, decision.state, decision.time])
        files.write_text(self.queue.folder / TABLE, text.getvalue())


def _with_digests(decision: Decision, missing: Missing | None) -> Decision:
    """A decision with the digest of the mask that is to be written for it as the last one."""
    if missing is None or missing.mask is None:
        return decision
    digest = sha256(missing.mask)
    if decision.exported[-1:] == (digest,):
        return decision
    return decision._replace(exported=(*decision.exported, digest))


def _state(action: Action, old: State, *, is_changed: bool) -> State:
    match action:
        case "accept":
            return "corrected" if is_changed else "accepted"
        case "reject":
            return "rejected"
        case "mark":
            return "to_correct"
        case "clear":
            return "undecided"
        case "draft":
            return "to_correct" if old == "to_correct" else "undecided"
