"""Which kind of rough masks the audit sees, on masks that are made so."""

import numpy as np
import pytest

from tests.data.test_audit import SIZE, audited, save, texture
from uaps_jax.config import RoughConfig
from uaps_jax.data import rough, visible
from uaps_jax.labels import IGNORE

CLASSES = "background: 0\nscratch: 1\nignore: 255\n"


def blob(seed):
    """A crooked region of some 300 pixels."""
    random = np.random.default_rng(seed)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    y, x = random.integers(6, SIZE - 26, 2)
    mask[y : y + 20, x : x + 6] = 1
    mask[y + 14 : y + 20, x : x + 20] = 1
    mask[y : y + 6, x + 12 : x + 20] = 1
    mask[y + 2 : y + 6, x : x + 14] = 1
    return mask


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("none", None),
        ("box", "masks look like boxes"),
        ("ellipse", "masks look like ellipses"),
        ("scribble", "masks look like strokes"),
    ],
)
def test_the_kind_of_rough_masks_is_seen(kind, title, tmp_path):
    settings = RoughConfig(kind=kind, seed=0, scale=(0.8, 0.8), radius=1, drop=0.5)
    for index in range(12):
        mask = blob(index)
        if kind != "none":
            mask = rough.rough_mask(mask, str(index), settings)
        save(tmp_path, f"part_{index:02d}", texture(index), mask)
    (tmp_path / "classes.yaml").write_text(CLASSES)
    findings, _ = audited(tmp_path)
    shown = {name for name in findings if name.startswith("masks look like")}
    assert shown == ({title} if title else set())
    if title:
        assert findings[title].level == "note"
        assert "configs/folder_urn.py" in findings[title].text


def test_an_ellipse_overlaps_with_itself_and_a_frame_does_not():
    y, x = np.mgrid[:41, :61] - np.array([20, 30])[:, None, None]
    disk = (y / 18.0) ** 2 + (x / 27.0) ** 2 <= 1
    assert visible.ellipse_overlap(disk) > 0.97
    frame = np.ones((20, 30), bool)
    # Of a box, the ellipse of its moments has the area pi / 3 times as large.
    assert 0.7 < visible.ellipse_overlap(frame) < 0.9
    frame[3:-3, 3:-3] = False
    assert visible.ellipse_overlap(frame) < 0.6
    assert visible.ellipse_overlap(np.ones((1, 1), bool)) == 1


def test_labels_of_whole_images_are_read_and_reported(tmp_path):
    for index in range(8):
        save(tmp_path, f"part_{index:02d}", texture(index), blob(index) if index < 6 else None)
    (tmp_path / "classes.yaml").write_text(CLASSES)
    lines = ["name,classes", "part_06,scratch", "part_07", "part_00,scratch"]
    (tmp_path / "image_labels.csv").write_text("\n".join(lines) + "\n")
    findings, page = audited(tmp_path)
    assert page.dataset.image_labels == {"part_06": (1,), "part_07": (), "part_00": (1,)}
    found = findings["labels of whole images"]
    assert found.names == ("part_06", "part_07")
    assert "3 images have some, 1 of them no defect; 2 have no mask" in found.text
    assert IGNORE not in page.dataset.image_labels["part_06"]
