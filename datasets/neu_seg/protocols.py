"""The published splits of NEU-Seg. All of them leak: see `groups.py`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from uaps_jax.datasets.protocols import Parts, Protocol, of_split, read_list, require

_FOLDER = Path(__file__).parent
_PPL_SIZES = (226, 453, 907, 1815)


def _published(names: Mapping[str, str]) -> Parts:
    """3085 training, 545 validation and the 840 official test images: UAPS's sizes.

    The training and validation lists are those of https://github.com/djene-mengistu/STAC
    (neu_seg/train.txt, neu_seg/val.txt), by UAPS's first author. UAPS published none.
    """
    train, val = (_training(f"published_{part}.txt") for part in ("train", "val"))
    require([*train, *val], names, "published")
    return Parts(train=train, val=val, test=of_split(names, "test"), labeled={})


def _full(names: Mapping[str, str]) -> Parts:
    """All 3630 training images, as papers count that report 363, 726, 1089 or 1815 labeled ones.

    Their lists are not published, and there is no validation set: the test images are used.
    """
    test = of_split(names, "test")
    return Parts(train=of_split(names, "train"), val=test, test=test, labeled={})


def _ppl(names: Mapping[str, str]) -> Parts:
    """PPL's lists: 226, 453, 907 or 1815 of all 3630 training images; the test images validate.

    https://github.com/Barcaaaa/Perturbed-Progressive-Learning, neu_seg/1_16 to 1_2 (Apache-2.0).
    """
    labeled = {size: _training(f"ppl_labeled_{size}.txt") for size in _PPL_SIZES}
    require([name for listed in labeled.values() for name in listed], names, "ppl")
    return _full(names)._replace(labeled=labeled)


def _training(file: str) -> list[str]:
    return [f"training/{line}" for line in read_list(_FOLDER / file)]


PROTOCOLS = {
    "published": Protocol(1, 4470, "neu_seg", _published),
    "full": Protocol(1, 4470, "neu_seg", _full),
    "ppl": Protocol(1, 4470, "neu_seg", _ppl),
}
