"""Pictures on the page of an audit are made small before anything is drawn on them."""

import base64
import io
import re

import numpy as np
from PIL import Image

from uaps_jax import palette
from uaps_jax.data.source import Dataset
from uaps_jax.datasets.common import DataError
from uaps_jax.reports import audit_page


def encode(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def test_a_thin_defect_of_a_large_image_is_seen_in_its_thumbnail(monkeypatch):
    mask = np.zeros((300, 660), np.uint8)
    mask[150, 20:-20], mask[10:20] = 1, 255
    dataset = Dataset(
        name="folder",
        build="folder",
        class_names=("background", "crack"),
        records={
            "train": [{"image": encode(np.full((300, 660), 128, np.uint8)), "mask": encode(mask)}]
        },
        position={"a<b": ("train", 0)},
        groups={"a<b": 0},
        masked=frozenset({"a<b"}),
    )
    sizes, overlay = [], palette.overlay

    def watched(image, mask):
        sizes.append((image.shape, mask.shape))
        return overlay(image, mask)

    monkeypatch.setattr(palette, "overlay", watched)
    page = audit_page._figure(dataset, "a<b")
    assert sizes == [((60, 132, 3), (60, 132))]
    assert "a&lt;b" in page
    data = re.search(r"base64,([^\"]+)", page)[1]
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(int)
    green = picture[..., 1] - picture[..., 0]
    assert (green[30, 6:-6] > 25).all()
    assert (np.abs(green[:20]) < 10).all()


def test_a_refusal_with_names_that_are_not_utf8_can_be_written():
    page = audit_page.render_refusal("mine", DataError([("b\udcff\x1b.png", "is odd")]))
    assert r"b\udcff\x1b.png" in page
    page.encode()
