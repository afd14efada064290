"""Archives that CVAT imports: "Segmentation mask 1.1" and "COCO 1.0".

CVAT finds the images of a task by their names, so the archives need none.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from uaps_jax.annotations import outlines
from uaps_jax.annotations.proposals import REMEDY, Proposal, complete_folder, regions
from uaps_jax.annotations.writers import coco
from uaps_jax.datasets.common import DataError, Problem
from uaps_jax.datasets.folder.class_map import IGNORE_NAME
from uaps_jax.labels import IGNORE

MASKS_FILE = "segmentation_mask_1.1.zip"
COCO_FILE = "coco_1.0.zip"


def write_coco(proposals: Sequence[Proposal], classes: Sequence[str], folder: Path) -> None:
    """Writes `coco_1.0.zip`; see `Writer`."""
    with complete_folder(proposals, classes, folder) as partial:
        text = coco.content(proposals, classes)
        _archive(partial / COCO_FILE, {"annotations/instances_default.json": text.encode()})


def write_masks(proposals: Sequence[Proposal], classes: Sequence[str], folder: Path) -> None:
    """Writes `segmentation_mask_1.1.zip`; see `Writer`.

    Raises:
      DataError: also if a class name has a colon, which divides the columns of `labelmap.txt`, or
        begins with "#", which is a comment there.
    """
    problems = [
        Problem(
            f"class {name}", "has a colon, a # or a space at its end, which CVAT's list has not"
        )
        for name in classes
        if ":" in name or name.startswith("#") or name != name.strip()
    ]
    if problems:
        raise DataError(problems, REMEDY)
    with complete_folder(proposals, classes, folder) as partial:
        names = [*classes] + [IGNORE_NAME] * any(
            (p.pixels(classes) == IGNORE).any() for p in proposals
        )
        rows = [f"{name}:{','.join(map(str, colour(n)))}::\n" for n, name in enumerate(names)]
        files = {
            "labelmap.txt": "".join(["# label:color_rgb:parts:actions\n", *rows]).encode(),
            "ImageSets/Segmentation/default.txt": "".join(
                f"{proposal.stem}\n" for proposal in proposals
            ).encode(),
        }
        with zipfile.ZipFile(partial / MASKS_FILE, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
            for proposal in proposals:
                mask = proposal.pixels(classes)
                if mask.any():
                    kinds, instances = _coloured(mask, names)
                    archive.writestr(f"SegmentationClass/{proposal.stem}.png", kinds)
                    archive.writestr(f"SegmentationObject/{proposal.stem}.png", instances)


def colour(number: int) -> tuple[int, int, int]:
    """The colour of a number from 0 to 255 in masks of Pascal VOC: its bits, spread over 3 bytes.

    Bits 0, 3 and 6 go to red, from the high bit on, 1, 4 and 7 to green, 2 and 5 to blue.
    """
    red, green, blue = (
        sum((number >> (3 * step + channel) & 1) << (7 - step) for step in range(3))
        for channel in range(3)
    )
    return red, green, blue


def _coloured(mask: np.ndarray, names: Sequence[str]) -> tuple[bytes, bytes]:
    """RGB PNG files of the classes and of the instances, the connected regions of a class."""
    instances = np.zeros(mask.shape, np.int64)
    kinds = np.zeros(mask.shape, np.int64)
    for value, _, region in regions(mask, names):
        labels, _ = ndimage.label(region, outlines.EIGHT)
        instances[region] = labels[region] + instances.max()
        kinds[region] = names.index(IGNORE_NAME) if value == IGNORE else value
    colours = np.array([colour(number) for number in range(256)], np.uint8)
    # Instances beyond the colours share one; CVAT cuts an instance of two classes by the class.
    return _png(colours[kinds]), _png(colours[np.where(instances, (instances - 1) % 255 + 1, 0)])


def _png(pixels: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def _archive(path: Path, files: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
