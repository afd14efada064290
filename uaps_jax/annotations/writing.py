"""Writes annotated images as a folder of images, masks and `classes.yaml`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from uaps_jax.annotations import shapes as shape_lib
from uaps_jax.annotations.shapes import Annotated
from uaps_jax.datasets.common import DataError, Problem

REMEDY = "Correct or remove these files, and run the same command again."


class Written(NamedTuple):
    """What a folder has.

    Attributes:
      images: number of images.
      annotated: those with a mask.
      clean: those of them without a defect.
      classes: their names, background first.
    """

    images: int
    annotated: int
    clean: int
    classes: tuple[str, ...]


def write(
    images: Sequence[Annotated],
    classes: Sequence[str],
    problems: Sequence[Problem],
    folder: Path,
) -> Written:
    """Copies the images, and writes a mask for each that is annotated.

    Args:
      images: of one folder.
      classes: names; those of the shapes are added in the order of the alphabet.
      problems: of reading them.
      folder: exists and is empty.

    Raises:
      DataError: there are problems, or no image, or an image that does not fit its annotation;
        nothing has been written.
    """
    labels = {s.label for image in images for s in image.shapes or ()}
    names = [*classes, *sorted(labels - set(classes))]
    found = [*problems, *_misfits(images)]
    if not images and not found:
        found = [Problem(str(folder), "no images found")]
    try:
        of = shape_lib.values(names)
    except ValueError as error:
        found.append(Problem(str(folder), str(error)))
    if found:
        raise DataError(found, REMEDY)
    annotated = clean = 0
    for image in tqdm(images, desc="importing", unit="image"):
        copied = folder / "images" / f"{image.name}{image.image.suffix}"
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(image.image, copied)
        if image.shapes is None or image.size is None:
            continue
        mask = shape_lib.mask(image.shapes, image.size, of)
        path = folder / "masks" / f"{image.name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)
        annotated += 1
        clean += not mask.any()
    # A JSON string is a YAML one, whatever the name has in it.
    lines = [f"{json.dumps(name, ensure_ascii=False)}: {value}\n" for name, value in of.items()]
    (folder / "classes.yaml").write_text("".join(lines))
    known = tuple(name for name in of if name != shape_lib.IGNORE)
    return Written(len(images), annotated, clean, known)


def _misfits(images: Sequence[Annotated]) -> Iterator[Problem]:
    """Annotated images that cannot be read, or are of another size than their annotation."""
    for image in images:
        if image.size is None:
            continue
        try:
            with Image.open(image.image) as file:
                size = file.size
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            yield Problem(str(image.image), f"cannot be read: {error}")
            continue
        if size != image.size:
            (width, height), (w, h) = size, image.size
            reason = f"has {width} x {height} pixels, and its annotation is for {w} x {h}"
            turned = ": it has been rotated since" if (width, height) == (h, w) else ""
            yield Problem(str(image.image), reason + turned)
