"""Makes a folder of images and masks of the annotations of another program."""

from __future__ import annotations

from pathlib import Path

from absl import logging

from uaps_jax.annotations import dataset_folder
from uaps_jax.annotations.readers import coco, labelme
from uaps_jax.annotations.shapes import Annotated
from uaps_jax.commands import output_folder
from uaps_jax.commands.request import Request
from uaps_jax.config import ConfigError
from uaps_jax.datasets.common import Problem


def import_annotations(request: Request) -> None:
    """Writes the images and masks of annotations of labelme or COCO into the work directory.

    Raises:
      ConfigError: the input is missing or unknown, or the work directory has files already.
      DataError: files are damaged, missing or do not fit; all are listed, nothing was written.
    """
    if request.input is None:
        raise ConfigError(
            "--mode=import needs --input: a folder of images with labelme's JSON files beside "
            "them, or COCO's JSON file, with its images beside it or in a folder images"
        )
    folder = request.workdir.resolve()
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ConfigError(f"--workdir={folder}: has files already; choose another folder")
    images, classes, problems = _read(request.input)
    with output_folder.replaced(folder) as partial:
        written = dataset_folder.write(images, classes, problems, partial, str(request.input))
    if written.lost:
        logging.warning(
            "%d regions have no pixel, such as one in %s: they are smaller than a pixel, or "
            "outside of their image",
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


def _read(given: Path) -> tuple[list[Annotated], list[str], list[Problem]]:
    if given.is_dir():
        images, problems = labelme.read(given)
        if not any(image.shapes is not None for image in images) and not problems:
            raise ConfigError(
                f"--input={given}: no image has a JSON file of labelme beside it; for COCO, give "
                "its JSON file"
            )
        return images, [], problems
    if given.suffix.lower() == ".json" and given.is_file():
        return coco.read(given)
    raise ConfigError(f"--input={given}: must be a folder, or a .json file of COCO")
