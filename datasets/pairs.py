"""Matches the files of images with the files of their masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Pair(NamedTuple):
    """Files of an image and its mask, one of which may be missing.

    Attributes:
      id: the name that both files share.
      image: expected file of the image.
      mask: expected file of the mask.
    """

    id: str
    image: str
    mask: str


def match(
    images: Mapping[str, str], masks: Mapping[str, str], image_like: str, mask_like: str
) -> list[Pair]:
    """All pairs, incomplete ones included, sorted by id.

    Args:
      images: id -> file.
      masks: id -> file.
      image_like: the expected file of an image, with {} for the id.
      mask_like: likewise for the mask.

    Example:
      >>> match({"7": "a/7.jpg"}, {}, "a/{}.jpg", "b/{}.png")
      [Pair(id='7', image='a/7.jpg', mask='b/7.png')]
    """
    return [
        Pair(id_, images.get(id_, image_like.format(id_)), masks.get(id_, mask_like.format(id_)))
        for id_ in sorted(images.keys() | masks.keys())
    ]
