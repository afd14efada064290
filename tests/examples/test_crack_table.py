"""The crack project's folders as they are: its images, masks and lists are read by a table."""

import sys

import numpy as np
import pytest
from PIL import Image

from tests import example_files
from uaps_jax.datasets.folder import scan

TRAIN, VAL, TEST = "Data_train/split 2", "Data_test/val_data", "Data_test/test data"
IMAGES = {
    f"{TRAIN}/labeled_Range_crop": ("a_0", "a_1", "b_0"),
    f"{TRAIN}/unlabeled_Range_crop": ("c_0",),
    f"{VAL}/Range_crop": ("d_0", "d_1"),
    f"{TEST}/unlabeled_Range_crop": ("e_0", "e_1"),
}
MASKS = {
    f"{TRAIN}/labeled_Segmentation_crop": ("a_0", "a_1", "b_0"),
    f"{TRAIN}/labeled_Segmentation_rough": ("a_1",),
    f"{VAL}/Segmentation_crop": ("d_0", "d_1"),
    f"{TEST}/labeled_Segmentation_crop": ("e_1",),
}


@pytest.fixture
def root(tmp_path):
    for folder, names in (IMAGES | MASKS).items():
        (tmp_path / folder).mkdir(parents=True)
        for name in names:
            Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / folder / f"{name}.png")
    return tmp_path


def scanned(root, monkeypatch, *flags):
    module = example_files.imported("crack_table.py", root / "crack_table.py")
    monkeypatch.setattr(sys, "argv", ["crack_table.py", str(root), *flags])
    module.main()
    settings = scan.Settings(
        root=root,
        images="",
        masks="",
        mask_suffix="",
        table="table.csv",
        classes=(),
        group="",
        white=255,
    )
    entries, problems = scan.scan(settings)
    assert problems == []
    return {entry.name: entry for entry in entries}


def test_all_images_have_their_masks_parts_and_frames(root, monkeypatch):
    found = scanned(root, monkeypatch)
    parts = {name: entry.split for name, entry in found.items()}
    of_folder = {TRAIN: "train", VAL: "val", TEST: "test"}
    assert parts == {
        f"{folder}/{name}": of_folder[folder.rpartition("/")[0]]
        for folder, names in IMAGES.items()
        for name in names
        if name != "e_0"  # a test image without a mask
    }
    masks = {entry.mask.relative_to(root).as_posix() for entry in found.values() if entry.mask}
    exact = {f: n for f, n in MASKS.items() if "rough" not in f}
    assert masks == {f"{folder}/{name}.png" for folder, names in exact.items() for name in names}
    groups = {entry.name.rpartition("/")[2]: entry.group for entry in found.values()}
    assert groups["a_0"] == groups["a_1"] != groups["b_0"]


def test_rough_masks_and_a_list_of_another_machine(root, monkeypatch):
    queue = root / "annotation_queue.txt"
    folder = f"/Users/x/data_crack/{TRAIN}/labeled_Range_crop"
    lines = [f"{folder}/{name}.png" for name in ("b_0", "a_1")]
    queue.write_text("\n".join(lines) + "\n")
    found = scanned(root, monkeypatch, "--rough", f"--queue={queue}")
    trained = [n for n, e in found.items() if e.mask and e.split == "train"]
    assert trained == [f"{TRAIN}/labeled_Range_crop/a_1"]
    assert sum(e.split == "val" for e in found.values()) == 2
    names = (root / "labeled.txt").read_text().splitlines()
    assert names == [f"{TRAIN}/labeled_Range_crop/{name}" for name in ("a_1", "b_0")]
    queue.write_text("/elsewhere/z_9.png\n")
    with pytest.raises(SystemExit, match=r"z_9.png is not in the table"):
        scanned(root, monkeypatch, f"--queue={queue}")
