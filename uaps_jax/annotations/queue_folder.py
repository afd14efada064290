"""What the folder of a queue, as `--mode=queue` writes it, says about its images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from uaps_jax.annotations import mask_form, shapes
from uaps_jax.annotations.mask_form import MaskForm, MaskFormError
from uaps_jax.annotations.shapes import BACKGROUND, Annotated
from uaps_jax.datasets.common import DataError, Problem
from uaps_jax.datasets.folder import class_map
from uaps_jax.datasets.folder.class_map import CLASSES_FILE, IGNORE_NAME, ClassMapError
from uaps_jax.datasets.regular_files import MOST_TEXT_BYTES, read_regular

LINES = "queue.jsonl"
REMEDY = "Give the folder that --mode=queue wrote."


class Queue(NamedTuple):
    """A queue.

    Attributes:
      images: the folder of its images.
      classes: names by class id, background first.
      digests: name of an image without suffix -> SHA-256 of its file, hexadecimal.
      form: how masks are written that are made of it; None: by class ids.
    """

    images: Path
    classes: tuple[str, ...]
    digests: dict[str, str]
    form: MaskForm | None


def read(folder: Path) -> Queue | None:
    """The queue of a folder; None if it is the folder of none.

    Raises:
      DataError: its files are damaged.
    """
    lines = folder / LINES
    if not lines.is_file():
        return None
    try:
        classes = class_map.from_file(folder / CLASSES_FILE).names
        entries = map(json.loads, read_regular(lines, MOST_TEXT_BYTES).splitlines())
        digests = {_stem(str(entry["image"])): str(entry["sha256"]) for entry in entries}
        form = mask_form.read(folder, classes)
    except MaskFormError as error:
        raise DataError([error.problem], REMEDY) from error
    except (ClassMapError, *shapes.FAILURES) as error:
        raise DataError([Problem(str(lines), shapes.reason(error))], REMEDY) from error
    return Queue(folder / "images", classes, digests, form)


def problems(queue: Queue, images: Sequence[Annotated]) -> Iterator[Problem]:
    """Images that are gone or have other bytes than in the queue, and labels that it has not."""
    found = {image.name: image.image for image in images}
    for name, digest in queue.digests.items():
        if name not in found:
            yield Problem(str(queue.images / name), "is an image of the queue, and is not there")
            continue
        try:
            content = read_regular(found[name])
        except OSError as error:
            yield Problem(str(found[name]), f"cannot be read: {error}")
            continue
        if hashlib.sha256(content).hexdigest() != digest:
            yield Problem(
                str(found[name]),
                "is not the image that the queue was made of: its bytes have changed. Put back "
                "that image, or make a new queue",
            )
    known = {*queue.classes, BACKGROUND, IGNORE_NAME}
    for image in images:
        for label in sorted({shape.label for shape in image.shapes or ()} - known):
            yield Problem(
                str(image.image),
                f"has a region with the label {label!r}, and the classes of the queue are "
                f"{', '.join(queue.classes)}",
            )


def _stem(name: str) -> str:
    return Path(name).with_suffix("").as_posix()
