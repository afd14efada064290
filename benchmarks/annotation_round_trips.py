"""Round trips of annotations through the tools' own code.

    python3 -m venv tools
    tools/bin/pip install -r benchmarks/requirements-annotations.txt
    tools/bin/python -m benchmarks.annotation_round_trips --out=round_trips

For each tool: proposals are written, read by the tool's library, changed there, written by it, and
imported. What was imported must equal, pixel by pixel, what the library holds. Where a library
draws polygons, the pixels in which it differs from the rule here (a pixel belongs to a polygon if
its centre lies in it) are counted; they must lie at an outline.

The environment needs neither JAX nor the rest of the package. `--fixtures` keeps the files that the
tools wrote, as the tests read them.
"""

from __future__ import annotations

import argparse
import base64
import importlib.metadata
import json
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

from uaps_jax.annotations import dataset_folder, formats, reading, run_lengths
from uaps_jax.annotations.formats import Proposal

CLASSES = ("background", "pit", "deep scratch")
SIZES = {"line 1/a.png": (30, 41), "b.png": (33, 28), "good.png": (20, 26)}
"""Height and width of the images; the last one has no defect."""

SQUARE = (slice(4, 11), slice(15, 23))
"""The pixels of the region that is added in each tool, of class 1."""


class Written(NamedTuple):
    """What a tool did.

    Attributes:
      given: the file or folder that it wrote.
      masks: name of an image -> class ids that its library holds.
      differing: pixels in which its library read other masks than were written.
      remark: of the outcome.
    """

    given: Path
    masks: Mapping[str, np.ndarray]
    differing: int
    remark: str = ""


Trip = Callable[[Path, Path, Mapping[str, np.ndarray]], Written]
"""From the folder of what was written here, that of the images, and the masks."""


def images_and_masks(folder: Path) -> dict[str, np.ndarray]:
    """Writes images of noise, and returns masks with holes, islands and pixels on diagonals."""
    random = np.random.default_rng(0)
    masks: dict[str, np.ndarray] = {}
    for name, size in SIZES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(path)
        fields = [ndimage.gaussian_filter(random.normal(size=size), 2.0) for _ in range(2)]
        mask = np.where(fields[0] > 0.1, np.uint8(1), np.uint8(0))
        mask[fields[1] > 0.12] = 2
        masks[name] = mask
    masks["good.png"][:] = 0
    return masks


def changed(masks: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The masks after the change that is made in each tool: a square is added to two images."""
    new = {name: mask.copy() for name, mask in masks.items()}
    new["b.png"][SQUARE] = new["good.png"][SQUARE] = 1
    return new


def square(size: tuple[int, int]) -> np.ndarray:
    """The region that is added, uint8 [height, width]."""
    region = np.zeros(size, np.uint8)
    region[SQUARE] = 1
    return region


def pycocotools(ours: Path, images: Path, masks: Mapping[str, np.ndarray]) -> Written:
    """COCO: `COCO.annToMask` reads, `mask.encode` writes."""
    from pycocotools import mask as coco_mask
    from pycocotools.coco import COCO

    file = ours / "annotations.json"
    coco = COCO(str(file))
    ids = {image["file_name"]: image["id"] for image in coco.dataset["images"]}
    held: dict[str, np.ndarray] = {}
    for name, number in ids.items():
        held[name] = np.zeros(SIZES[name], np.uint8)
        for entry in coco.loadAnns(coco.getAnnIds(imgIds=[number])):
            held[name][coco.annToMask(entry) > 0] = entry["category_id"]
    differing = _differing(held, masks)
    content = coco.dataset
    for name in ("b.png", "good.png"):
        encoded = coco_mask.encode(np.asfortranarray(square(SIZES[name])))
        content["annotations"].append(
            {
                "id": len(content["annotations"]) + 1,
                "image_id": ids[name],
                "category_id": 1,
                "iscrowd": 0,
                "area": int(coco_mask.area(encoded)),
                "bbox": coco_mask.toBbox(encoded).tolist(),
                "segmentation": {"size": encoded["size"], "counts": encoded["counts"].decode()},
            }
        )
    target = images.parent / "pycocotools.json"
    target.write_text(json.dumps(content))
    return Written(target, changed(masks), differing)


def datumaro_coco(ours: Path, images: Path, masks: Mapping[str, np.ndarray]) -> Written:
    """CVAT's "COCO 1.0", which is datumaro's `coco_instances`."""
    return _datumaro("coco_instances", "coco_1.0.zip", ours, images, masks, "datumaro_coco")


def datumaro_masks(ours: Path, images: Path, masks: Mapping[str, np.ndarray]) -> Written:
    """CVAT's "Segmentation mask 1.1", which is datumaro's `voc_segmentation` in colours."""
    name = "segmentation_mask_1.1.zip"
    return _datumaro("voc_segmentation", name, ours, images, masks, "datumaro_masks")


def datumaro_cvat(ours: Path, images: Path, masks: Mapping[str, np.ndarray]) -> Written:
    """CVAT for images 1.1: what datumaro read from COCO 1.0 is written by its `cvat`."""
    return _datumaro(
        "coco_instances", "coco_1.0.zip", ours, images, masks, "datumaro_cvat", target="cvat"
    )


def _datumaro(
    kind: str,
    zipped: str,
    ours: Path,
    images: Path,
    masks: Mapping[str, np.ndarray],
    name: str,
    target: str = "",
) -> Written:
    import datumaro

    top = images.parent
    unpacked = top / f"{name}_ours"
    with zipfile.ZipFile(ours / zipped) as file:
        file.extractall(unpacked)
    # CVAT imports archives without images; datumaro alone wants their folder.
    shutil.copytree(images, unpacked / ("images" if kind == "coco_instances" else "JPEGImages"))
    dataset = datumaro.Dataset.import_from(str(unpacked), kind)
    labels = [item.name for item in dataset.categories()[datumaro.AnnotationType.label]]
    stems = {Path(image).with_suffix("").as_posix(): image for image in SIZES}
    held = {image: np.zeros(size, np.uint8) for image, size in SIZES.items()}
    new = datumaro.Dataset.from_iterable(
        [
            datumaro.DatasetItem(
                id=item.id,
                subset="default",
                media=datumaro.Image.from_file(path=str(images / stems[item.id])),
                annotations=[
                    *_masks_of(datumaro, item, held[stems[item.id]], labels),
                    *_added(datumaro, stems[item.id], labels.index("pit")),
                ],
            )
            for item in dataset
        ],
        categories=dataset.categories(),
    )
    differing = _differing(held, masks)
    written = top / name
    new.export(str(written), target or kind, save_media=True)
    given = written
    if target == "cvat":
        given = next(written.rglob("*.xml"))
    return Written(given, changed(masks), differing)


def _added(datumaro: Any, name: str, label: int) -> Any:
    """The region that is added to two images; the last of its image by number and group."""
    if name in ("b.png", "good.png"):
        yield datumaro.Mask(square(SIZES[name]), label=label, z_order=9, id=999, group=999)


def _masks_of(datumaro: Any, item: Any, held: np.ndarray, labels: Sequence[str]) -> Any:
    """The masks of an item, which are drawn into `held`, too."""
    for annotation in item.annotations:
        if (
            annotation.type != datumaro.AnnotationType.mask
            or labels[annotation.label] not in (CLASSES[1:])
        ):
            continue
        held[annotation.image > 0] = CLASSES.index(labels[annotation.label])
        # CVAT keeps only the attributes that its task has: `is_crowd` is not among them.
        yield annotation.wrap(attributes={})


def label_studio(ours: Path, images: Path, masks: Mapping[str, np.ndarray]) -> Written:
    """Label Studio: the SDK checks the predictions, and decodes and encodes brushes."""
    from label_studio_sdk.converter import brush
    from label_studio_sdk.label_interface import LabelInterface

    interface = LabelInterface((ours / "labeling_interface.xml").read_text())
    tasks = json.loads((ours / "tasks.json").read_text())
    held: dict[str, np.ndarray] = {}
    problems: list[str] = []
    for task, name in zip(tasks, SIZES, strict=True):
        prediction = task.pop("predictions")[0]
        problems += interface.validate_prediction(prediction, return_errors=True)
        held[name] = np.zeros(SIZES[name], np.uint8)
        for result in prediction["result"]:
            pixels = brush.decode_rle(result["value"]["rle"]).reshape(*SIZES[name], 4)[..., 3]
            held[name][pixels > 0] = CLASSES.index(result["value"]["brushlabels"][0])
        values = [value for value in np.unique(held[name]).tolist() if value]
        corrected = [_brush(brush, name, value, held[name] == value) for value in values]
        if name in ("b.png", "good.png"):
            corrected.append(_brush(brush, name, 1, square(SIZES[name]) > 0))
        task["annotations"] = [
            {"result": [], "was_cancelled": False, "updated_at": "2026-01-01T10:00:00.000001Z"},
            {"result": corrected, "was_cancelled": False, "updated_at": "2026-01-01T10:00:01.5Z"},
            {"result": [], "was_cancelled": True, "updated_at": "2026-01-02T10:00:00Z"},
        ]
        if "/" not in name:
            task["data"]["image"] = f"/data/upload/1/0a1b2c3d-{name}"
    target = images.parent / "label_studio.json"
    target.write_text(json.dumps(tasks))
    remark = f"problems of its validation: {problems}" if problems else ""
    return Written(target, changed(masks), _differing(held, masks) + len(problems), remark)


def _brush(brush: Any, name: str, value: int, region: np.ndarray) -> dict[str, Any]:
    height, width = SIZES[name]
    rle = brush.mask2rle(255 * region.astype(np.uint8))
    return {
        "type": "brushlabels",
        "from_name": "brush",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": rle, "brushlabels": [CLASSES[value]]},
    }


def labelme(ours: Path, images: Path, masks: Mapping[str, np.ndarray]) -> Written:
    """labelme: its file class reads and writes, `shapes_to_label` draws."""
    from labelme._label_file import LabelFile
    from labelme.utils.shape import shapes_to_label

    folder = images.parent / "labelme"
    shutil.copytree(images, folder)
    values = {"_background_": 0, **{name: value for value, name in enumerate(CLASSES)}}
    held: dict[str, np.ndarray] = {}
    for name in SIZES:
        file = (folder / name).with_suffix(".json")
        shutil.copyfile((ours / name).with_suffix(".json"), file)
        label_file = LabelFile(str(file))
        held[name] = shapes_to_label(SIZES[name], label_file.shapes, values)[0].astype(np.uint8)
        shapes = [{**shape, "mask": None} for shape in label_file.shapes]
        for shape in shapes:
            shape.pop("other_data")
        if name in ("b.png", "good.png"):
            rows, columns = SQUARE
            corners = [[columns.start, rows.start], [columns.stop, rows.stop]]
            shapes.append(
                {"label": "pit", "points": corners, "shape_type": "rectangle", "flags": {}}
            )
        label_file.save(
            str(file),
            shapes=shapes,
            image_path=Path(name).name,
            image_height=SIZES[name][0],
            image_width=SIZES[name][1],
        )
    outside = sum(int(((held[n] != m) & ~_near_outline(m)).sum()) for n, m in masks.items())
    drawn = _differing(held, masks)
    total = sum(mask.size for mask in masks.values())
    remark = f"its own drawing differs in {drawn} of {total} pixels, {outside} away from outlines"
    return Written(folder, changed(masks), outside, remark)


def _near_outline(mask: np.ndarray) -> np.ndarray:
    """The pixels of which one of the eight neighbours has another class."""
    return ndimage.maximum_filter(mask, 3) != ndimage.minimum_filter(mask, 3)


def _differing(held: Mapping[str, np.ndarray], masks: Mapping[str, np.ndarray]) -> int:
    return sum(int((held[name] != mask).sum()) for name, mask in masks.items())


TRIPS: dict[str, tuple[str, str, Trip]] = {
    "pycocotools": ("coco", "pycocotools", pycocotools),
    "datumaro_coco": ("cvat_coco", "datumaro", datumaro_coco),
    "datumaro_masks": ("cvat_masks", "datumaro", datumaro_masks),
    "datumaro_cvat": ("cvat_coco", "datumaro", datumaro_cvat),
    "label_studio": ("label_studio", "label-studio-sdk", label_studio),
    "labelme": ("labelme", "labelme", labelme),
}
"""Name -> the format that is written, the package, and the trip."""


def imported(given: Path, images: Path, folder: Path) -> dict[str, np.ndarray]:
    """The masks of a folder that is made of annotations."""
    folder.mkdir()
    read = reading.read(given, images, ())
    dataset_folder.write(read.images, CLASSES, read.problems, folder, str(given), CLASSES[0])
    return {
        name: np.asarray(Image.open((folder / "masks" / name).with_suffix(".png")))
        for name in SIZES
    }


def keep(written: Written, package: str, file: Path) -> None:
    """Writes the files of a tool, without images, and the masks that they stand for, as JSON."""
    given = written.given
    paths = [given] if given.is_file() else sorted(p for p in given.rglob("*") if p.is_file())
    root = given.parent if given.is_file() else given
    names = {path.relative_to(root).as_posix(): path for path in paths}
    if given.is_dir():
        names = {
            name: path
            for name, path in names.items()
            if name not in SIZES and not name.startswith(("images/", "JPEGImages/"))
        }
    content = {
        "written_by": f"{package} {importlib.metadata.version(package)}",
        "given": given.name if given.is_file() else ".",
        "files": {name: _packed(path.read_bytes()) for name, path in names.items()},
        "masks": {
            name: {
                "size": list(mask.shape),
                "runs": {
                    str(value): run_lengths.to_text(run_lengths.of_mask(mask == value))
                    for value in np.unique(mask).tolist()
                    if value
                },
            }
            for name, mask in written.masks.items()
        },
    }
    file.write_text(json.dumps(content, indent=1) + "\n")


def _packed(data: bytes) -> str:
    """Compressed by zlib, as base64."""
    return base64.b64encode(zlib.compress(data, 9)).decode()


def main() -> None:
    """Runs all trips, and prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="a folder that does not exist")
    parser.add_argument("--fixtures", type=Path, help="folder for the files that the tools wrote")
    options = parser.parse_args()
    out = options.out.absolute()
    images = out / "images"
    images.mkdir(parents=True)
    masks = images_and_masks(images)
    proposals = [
        Proposal(name=name, size=SIZES[name], mask=mask, score=0.5) for name, mask in masks.items()
    ]
    failed = False
    for name, (kind, package, trip) in TRIPS.items():
        ours = out / f"{name}_written"
        formats.WRITERS[kind](proposals, CLASSES, ours)
        written = trip(ours, images, masks)
        got = imported(written.given, images, out / f"{name}_imported")
        back = _differing(got, written.masks)
        failed |= bool(back or written.differing)
        version = importlib.metadata.version(package)
        pixels = sum(mask.size for mask in masks.values())
        print(
            f"{name} ({package} {version}): read by it, {written.differing} of {pixels} pixels "
            f"differ; changed and imported, {back} differ. {written.remark}",
            flush=True,
        )
        if options.fixtures:
            options.fixtures.mkdir(parents=True, exist_ok=True)
            keep(written, package, options.fixtures / f"{name}.json")
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
