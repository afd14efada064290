"""Makes a folder of images and masks of the annotations of another program."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from absl import logging

from uaps_jax.annotations import archive, dataset_folder, queue_folder, reading
from uaps_jax.annotations.dataset_folder import Written
from uaps_jax.annotations.queue_folder import Queue
from uaps_jax.annotations.reading import UnknownFormatError
from uaps_jax.annotations.shapes import BACKGROUND
from uaps_jax.commands import output_folder
from uaps_jax.commands.request import Request
from uaps_jax.config import ConfigError
from uaps_jax.datasets.common import DataError, Problem

UNPACKED = ".unpacked"


def import_annotations(request: Request) -> None:
    """Writes the images and masks of annotations into the work directory.

    Raises:
      ConfigError: the input is missing or of no format that is read, or the work directory has
        files already.
      DataError: files are damaged, missing or do not fit; all are listed, nothing was written.
    """
    if request.input is None:
        raise ConfigError(f"--mode=import needs --input, one of these:\n{reading.FORMATS}")
    if request.images is not None and not request.images.is_dir():
        raise ConfigError(f"--images={request.images}: is no folder")
    folder = request.workdir.resolve()
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ConfigError(f"--workdir={folder}: has files already; choose another folder")
    queue = None if request.images is None else queue_folder.read(request.images)
    images = request.images if queue is None else queue.images
    with output_folder.replaced(folder) as partial:
        written = _written(request.input, images, queue, partial)
    if written.lost:
        logging.warning(
            "%d regions have no pixel, such as one in %s: they are smaller than a pixel",
            len(written.lost),
            written.lost[0],
        )
    logging.info(
        "%s: %d images, %d of them annotated, %d of these without a defect; classes: %s",
        request.workdir,
        written.images,
        written.annotated,
        written.clean,
        ", ".join(written.classes),
    )
    logging.info(
        "check it: --mode=audit --config=configs/folder_uaps.py --config.data.manual_dir=%s",
        request.workdir,
    )


def _written(given: Path, images: Path | None, queue: Queue | None, partial: Path) -> Written:
    """Reads the annotations, unpacks them before if need be, and writes the folder."""
    unpacked = partial / UNPACKED
    try:
        source: Path = given
        beside: tuple[Path, ...] = ()
        if given.suffix.lower() == ".zip" and given.is_file():
            unpacked.mkdir()
            archive.unpack(given, unpacked)
            source, beside = _inner(unpacked), (given.absolute().parent / "images",)
        read = reading.read(source, images, beside)
        problems = list(read.problems)
        classes: Sequence[str] = read.classes
        background, form = BACKGROUND, None
        if queue is not None:
            classes, background, form = queue.classes, queue.classes[0], queue.form
            # Without annotations that could be read, no image was looked for.
            if read.images or not problems:
                problems += queue_folder.problems(queue, read.images)
        written = dataset_folder.write(
            read.images, classes, problems, partial, str(given), background, form
        )
    except UnknownFormatError as error:
        raise ConfigError(f"--input: {_named(str(error), unpacked, given)}") from error
    except DataError as error:
        raise DataError(_renamed(error.problems, unpacked, given), error.remedy) from error
    shutil.rmtree(unpacked, ignore_errors=True)
    return written


def _inner(folder: Path) -> Path:
    """The folder in which the files of an archive lie: it, or the only folder in it."""
    inside = list(folder.iterdir())
    is_wrapped = len(inside) == 1 and inside[0].is_dir() and inside[0].name not in _OF_FORMATS
    return inside[0] if is_wrapped else folder


_OF_FORMATS = ("annotations", "images", "masks", "SegmentationClass", "JPEGImages")


def _renamed(problems: Iterable[Problem], unpacked: Path, given: Path) -> Iterator[Problem]:
    for path, reason in problems:
        yield Problem(_named(path, unpacked, given), _named(reason, unpacked, given))


def _named(text: str, unpacked: Path, given: Path) -> str:
    """A text with the name of the archive in place of the folder that it was unpacked into."""
    return text.replace(str(unpacked), str(given))
