"""Writes annotated images as a folder of images, masks and `classes.yaml`."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from uaps_jax.annotations import class_list
from uaps_jax.annotations import shapes as shape_lib
from uaps_jax.annotations.mask_form import MaskForm
from uaps_jax.annotations.shapes import Annotated, Shape
from uaps_jax.datasets.common import DataError, Problem, UnreadableError, open_image
from uaps_jax.datasets.folder import class_map, encode
from uaps_jax.datasets.folder.images import UPRIGHT, named_orientation
from uaps_jax.datasets.regular_files import read_regular

REMEDY = "Correct or remove these files, and run the same command again."
MOST_ALIKE = 5
"""Problems of one kind and folder that are named; of the others, the number."""


class Written(NamedTuple):
    """What a folder has.

    Attributes:
      images: number of images.
      annotated: those with a mask.
      clean: those of them without a defect.
      classes: their names, background first.
      lost: names of images, one for each region that has no pixel.
    """

    images: int
    annotated: int
    clean: int
    classes: tuple[str, ...]
    lost: tuple[str, ...]


def write(
    images: Sequence[Annotated],
    classes: Sequence[str],
    problems: Sequence[Problem],
    folder: Path,
    given: str,
    background: str,
    form: MaskForm | None = None,
) -> Written:
    """Copies the images, and writes a mask for each that is annotated.

    Args:
      images: of one folder.
      classes: names; those of the shapes are added in the order of the alphabet.
      problems: of reading them.
      folder: exists, and has neither `images` nor `masks`.
      given: where the annotations are, for messages.
      background: name of the class of value 0.
      form: values and endings of the masks, of these classes; None: class ids and none.

    Raises:
      DataError: there are problems, or no image, an image that cannot be opened or does not fit its
        annotation, or classes that a training could not read; nothing has been written.
    """
    labels = {s.label for image in images for s in image.shapes or ()}
    names = [*classes, *sorted(labels - set(classes))]
    found = list(problems)
    sizes = _sizes(images, found)
    if not images and not found:
        found.append(Problem(given, "no images found"))
    of = shape_lib.values(names, background)
    listed = {n: value for n, value in of.items() if value or n == background}
    try:
        if images:
            class_map.parse([(name, [str(value)]) for name, value in listed.items()])
    except class_map.ClassMapError as error:
        found.append(Problem(given, f"its labels as classes: {error}"))
    if found:
        raise DataError(_few_alike(found), REMEDY)
    annotated = clean = 0
    lost: list[str] = []
    for image, size in zip(tqdm(images, desc="importing", unit="image"), sizes, strict=True):
        copied = folder / "images" / f"{image.name}{image.image.suffix}"
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(image.image, copied)
        if image.shapes is None:
            continue
        mask = shape_lib.mask((), size, of)
        for shape in image.shapes:
            if not shape_lib.draw(mask, shape, of[shape.label]):
                lost.append(image.name)
        path = folder / "masks" / f"{image.name}{form.suffix if form else ''}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if form:
            path.write_bytes(encode.encoded(mask, form.classes))
        else:
            Image.fromarray(mask).save(path)
        annotated += 1
        clean += not mask.any()
    if form:
        (folder / class_map.CLASSES_FILE).write_text(form.class_file(), encoding="utf-8")
    else:
        class_list.write(folder, listed)
    known = tuple(name for name in listed if name != class_map.IGNORE_NAME)
    return Written(len(images), annotated, clean, known, tuple(lost))


def _sizes(images: Sequence[Annotated], problems: list[Problem]) -> list[tuple[int, int]]:
    """Width and height of each image; (0, 0) of those that cannot be opened, which are problems.

    Annotated images that are to be rotated, or of another size than their annotation, or that have
    only regions without a pixel, are problems, too.
    """
    sizes = []
    for image in images:
        where, size = str(image.image), (0, 0)
        try:
            data = read_regular(image.image)
            with open_image(data) as file:
                size = file.size
            orientation = named_orientation(data)
        except (OSError, UnreadableError) as error:
            problems.append(Problem(where, f"cannot be read: {error}"))
            size, orientation = (0, 0), UPRIGHT
        sizes.append(size)
        if image.shapes is None or size == (0, 0):
            continue
        if orientation != UPRIGHT:
            reason = (
                f"its EXIF data say that it is to be rotated (orientation {orientation}), and "
                "programs differ in whether they do: save it upright, and annotate that image"
            )
            problems.append(Problem(where, reason))
        elif image.size is not None and size != image.size:
            (width, height), (w, h) = size, image.size
            reason = f"has {width} x {height} pixels, and its annotation is for {w} x {h}"
            problems.append(Problem(where, reason))
        elif image.shapes and not _has_pixels(image.shapes, size):
            reason = (
                "none of its regions has a pixel, and without one it would be a good part: draw "
                "them anew, or remove them"
            )
            problems.append(Problem(where, reason))
    return sizes


def _has_pixels(shapes: Sequence[Shape], size: tuple[int, int]) -> bool:
    drawn = np.zeros((size[1], size[0]), np.uint8)
    return any(shape_lib.draw(drawn, shape, 1) for shape in shapes)


def _few_alike(problems: Iterable[Problem]) -> list[Problem]:
    """The first problems of each reason, and how many more have the same one."""
    alike: dict[str, list[Problem]] = {}
    for problem in problems:
        alike.setdefault(problem.reason, []).append(problem)
    shown: list[Problem] = []
    for reason, same in alike.items():
        shown += same[:MOST_ALIKE]
        if (more := len(same) - MOST_ALIKE) > 0:
            shown.append(Problem(f"{more} more, such as {same[-1].path}", reason))
    return shown
