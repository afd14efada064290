"""What is left of defects at the network's size, and settings that keep them."""

import dataclasses

import numpy as np
import pytest

from tests import tiny
from uaps_jax.data import audit_size, visible
from uaps_jax.data.survey import Survey
from uaps_jax.data.visible import Defects


def settings(**changes):
    data = tiny.config().data
    for name, value in ({"height": 16, "width": 16} | changes).items():
        setattr(data, name, value)
    return data


def mask():
    ids = np.zeros((64, 96), np.uint8)
    ids[1:3, 1:3] = 1  # away from the rows 0, 4, 8 ... and columns 0, 6, 12 ... of "resize"
    ids[20:40, 30:54] = 1
    ids[40, 54] = 2  # touches the corner, but is another class
    ids[60:, 80:90] = 2
    ids[5, 90:] = 255
    return ids


@pytest.mark.parametrize(
    ("fit", "left"),
    [
        ({"fit": "resize"}, [0, 5 * 4, 1, 1]),
        ({"fit": "pad"}, [0, 16 * 14, 0, 0]),
        ({"fit": "crop"}, [4, 480, 1, 40]),
        ({"fit": "crop", "scale": 0.5}, [1, 120, 1, 10]),
    ],
)
def test_pixels_left_of_each_defect(fit, left):
    data = settings(**fit)
    label, area, box, ellipse, seen = visible.of_mask(mask(), data)
    assert label.tolist() == [1, 1, 2, 2]
    assert area.tolist() == [4, 480, 1, 40]
    assert box.tolist() == [[2, 2], [20, 24], [1, 1], [4, 10]]
    assert ellipse[2] == 1  # a pixel
    assert ((ellipse > 0.7) & (ellipse <= 1)).all()
    assert seen.tolist() == left


def dataset_of(areas, sides, size=(1200, 2000), images=20):
    """A survey of images of one size, and a defect in each of the first ones."""
    count = len(areas)
    pixels = np.zeros((images, 3), int)
    pixels[:count, 1] = areas
    pixels[:, 0] = size[0] * size[1] - pixels[:, 1]
    survey = Survey(
        names=tuple(f"part_{row:02d}" for row in range(images)),
        sizes=np.array([size] * images),
        pixels=pixels,
        has_mask=np.ones(images, bool),
        brightness=np.zeros(images),
        thumbnails=np.zeros((images, 2, 2)),
        content=("",) * images,
        mask_content=("",) * images,
    )
    found = Defects(
        image=np.arange(count),
        label=np.ones(count, int),
        area=np.array(areas),
        box=np.stack([sides, sides], 1),
        ellipse=np.zeros(count),
        left=np.array(areas),
    )
    return survey, found


def test_small_defects_in_large_photographs_ask_for_crops_at_full_scale():
    survey, found = dataset_of([25] * 10, np.full(10, 5))
    settings, why = audit_size.proposed(survey, np.arange(20), found)
    assert settings == {"fit": "crop", "scale": 1.0, "height": 256, "width": 256} | {
        "defect_share": 0.5
    }
    # Half of the images: 260 * 260 places of 945 * 1745 touch the defect.
    assert f"about {50 * 260 * 260 / (945 * 1745):.1f} % of uniformly" in why
    assert why.startswith("about 100 % of the defects keep 10")


def test_large_defects_allow_a_smaller_scale_and_small_images_are_resized_whole():
    survey, found = dataset_of([10_000] * 10, np.full(10, 100))
    settings, _ = audit_size.proposed(survey, np.arange(20), found)
    assert settings == {"fit": "resize", "resampling": "area", "height": 160, "width": 256}
    # Large photographs are cropped at that scale; of boxes of 75 of 600 x 1000 pixels then, crops
    # touch (75 + 255)^2 of 345 * 745 places, which is often enough.
    survey, found = dataset_of([400] * 10, np.full(10, 300), size=(2400, 4000))
    settings, _ = audit_size.proposed(survey, np.arange(10), found)
    assert settings == {"fit": "crop", "scale": 0.25, "resampling": "area"} | {
        "height": 256,
        "width": 256,
    }


def split_of(survey):
    names = list(survey.names)
    return {"labeled": names[4:], "unlabeled": [], "val": names[:2], "test": names[2:4]}


def found_titles(survey, found, data):
    findings = audit_size.at_the_networks_size(survey, split_of(survey), data, found)
    return {finding.title: finding for finding in findings}


def test_findings_name_what_is_lost_and_what_to_write():
    survey, found = dataset_of([25] * 10, np.full(10, 5))
    found = dataclasses.replace(found, left=np.array([0, 0, 3, *[20] * 7]))
    titles = found_titles(survey, found, settings(height=256, width=256))
    lost = titles["defects are lost or tiny at the network's size"]
    assert lost.text == (
        "2 of 10 defects have no pixel left at 256 x 256 (data.fit = 'resize'), and 1 have 1 to 9; "
        "of 10 images with a defect, 2 show none any more."
    )
    assert (lost.level, lost.names) == ("warning", ("part_00", "part_01", "part_02"))
    assert "scaled up to 1.67 times" in titles["images are distorted"].text
    few = titles["few images with a defect to score"]
    assert few.text.startswith("val has 2 images with a defect and test has 2 images")
    assert "6 of 16 labeled images have one" in few.text
    lines = titles["settings that fit these images"].text.rpartition(": ")[2].split()
    assert lines == [
        "--config.data.fit=crop",
        "--config.data.scale=1.0",
        "--config.data.height=256",
        "--config.data.width=256",
        "--config.data.defect_share=0.5",
    ]


def test_crops_without_oversampling_are_found_and_with_it_nothing_is():
    survey, found = dataset_of([25] * 10, np.full(10, 5))
    data = settings(fit="crop", height=256, width=256)
    few = "few images with a defect to score"
    titles = found_titles(survey, found, data)
    assert set(titles) == {few, "few crops hold a defect", "settings that fit these images"}
    data.defect_share = 0.5
    assert set(found_titles(survey, found, data)) == {few}


def test_the_chance_of_a_defect_is_that_of_drawn_crops():
    survey, found = dataset_of([9, 30], np.array([3, 6]), size=(60, 80), images=4)
    chance = visible.chance_of_a_defect(found, survey.sizes, np.arange(4), (16, 16), 1.0)
    # A box in the middle: the tops of crops that touch it, of 45 places, and 65 in width.
    expected = [(16 + side - 1) ** 2 / (45 * 65) for side in (3, 6)]
    assert chance == pytest.approx(sum(expected) / 4)


def test_a_proposal_takes_back_what_it_does_not_use():
    survey, found = dataset_of([25] * 10, np.full(10, 5), size=(300, 400))
    found = dataclasses.replace(found, left=np.zeros(10, int))
    data = settings(fit="crop", scale=0.5, defect_share=0.5, crop_scale_range=(0.5, 2.0))
    lines = found_titles(survey, found, data)["settings that fit these images"].text
    assert lines.endswith(
        "--config.data.fit=resize --config.data.resampling=area --config.data.height=320 "
        "--config.data.width=416 --config.data.scale=1.0 "
        "'--config.data.crop_scale_range=(1.0, 1.0)'"
    )
