"""What is unlike the photographs of a training."""

import json

import numpy as np
import pytest
from PIL import Image

from uaps_jax.configs import train
from uaps_jax.data import photographs, source
from uaps_jax.data.photographs import Photographs

KNOWN = Photographs(heights=(400, 600), widths=(800, 800), grey=0, colour=12)


def test_it_survives_json():
    assert Photographs.from_json(json.loads(json.dumps(KNOWN.to_json()))) == KNOWN


@pytest.mark.parametrize(
    ("size", "is_grey", "found"),
    [
        ((400, 800), False, []),
        ((500, 800), False, []),
        ((399, 800), False, ["had 800 x 400 to 600 px"]),
        ((500, 801), True, ["had 800 x 400 to 600 px", "it is grey"]),
    ],
)
def test_other_sizes_and_channels_are_said(size, is_grey, found):
    sentences = list(KNOWN.differences(size, is_grey=is_grey))
    assert len(sentences) == len(found)
    for sentence, part in zip(sentences, found, strict=True):
        assert part in sentence


def test_colours_are_said_where_all_are_grey():
    of_grey = Photographs(heights=(4, 4), widths=(4, 4), grey=2, colour=0)
    assert list(of_grey.differences((4, 4), is_grey=True)) == []
    assert "it has colours" in next(of_grey.differences((4, 4), is_grey=False))


def test_grey_files_that_are_stored_as_rgb_are_counted_as_grey(tmp_path):
    levels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    tinted = np.repeat(levels[..., None], 3, 2)
    tinted[7, 7, 2] += 1
    kinds = {
        "eight.bmp": levels,
        "deep.png": levels.astype(np.uint16) * 257,
        "deep_2.tif": levels.astype(np.uint16) * 257,
        "equal.png": np.repeat(levels[..., None], 3, 2),
        "tinted.png": tinted,
    }
    (tmp_path / "raw" / "images").mkdir(parents=True)
    for name, pixels in kinds.items():
        Image.fromarray(pixels).save(tmp_path / "raw" / "images" / name)
    (tmp_path / "raw" / "classes.yaml").write_text("background: 0\nscratch: 255\n")
    config = train.build(dataset="folder", method="supervised")
    config.data.manual_dir, config.data.data_dir = str(tmp_path / "raw"), str(tmp_path / "built")
    dataset = source.open_dataset(config.data)
    assert len(dataset.position) == len(kinds)
    grey = [name for name in dataset.position if name != "tinted"]
    found = photographs.of(dataset, grey)
    assert (found.grey, found.colour) == (len(kinds) - 1, 0)
    assert photographs.of(dataset, ["tinted"]).colour == 1
    assert photographs.unlike(dataset, grey, found) == {}
    [sentence] = photographs.unlike(dataset, ["tinted"], found)
    assert "it has colours" in sentence
