"""What is unlike the photographs of a training."""

import json

import pytest

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
