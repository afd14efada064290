"""The published splits of the images of DAGM 2007 that have a defect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from uaps_jax.datasets.protocols import Parts, Protocol, of_split, read_list, train_test_split

_FOLDER = Path(__file__).parent
_PPL_SIZES = (65, 130, 260, 521)
_PPL_TRAIN = 1046
_NAME = re.compile(r"cl(\d+)_(\d+)")


def _published(names: Mapping[str, str]) -> Parts:
    """UAPS: of 1350 defective images 918 train, 162 validate, 270 test.

    The rule of the released loader on sorted names gives exactly the 270 test images that
    https://github.com/djene-mengistu/STAC lists (dagm_seg/test.txt). The official halves are not
    used.
    """
    rest, test = train_test_split(sorted(names), 0.2, 69)
    train, val = train_test_split(rest, 0.15, 45)
    return Parts(train=train, val=val, test=test, labeled={})


def _ppl(names: Mapping[str, str]) -> Parts:
    """PPL's lists: 65, 130, 260 or 521 of the 1046 images with a defect of the official halves
    "Train"; the 1054 of the halves "Test" both validate and test.

    PPL's files have the numbers 1 to 1046, and which image has which number is not published. Here
    they are numbered class by class, by their ids; that is an assumption.
    https://github.com/Barcaaaa/Perturbed-Progressive-Learning, DAGM/1_16 to 1_2 (Apache-2.0).
    """
    train, test = of_split(names, "train"), of_split(names, "test")
    if len(train) != _PPL_TRAIN:
        raise ValueError(
            f"data.protocol = 'ppl' needs {_PPL_TRAIN} images with a defect in the official halves "
            f"Train; the dataset has {len(train)}"
        )
    numbered = sorted(train, key=_class_and_id)
    labeled = {
        size: sorted(
            numbered[int(line) - 1] for line in read_list(_FOLDER / f"ppl_labeled_{size}.txt")
        )
        for size in _PPL_SIZES
    }
    return Parts(train=train, val=test, test=test, labeled=labeled)


def _class_and_id(name: str) -> tuple[int, int]:
    found = _NAME.fullmatch(name)
    assert found  # the builder names them so
    return int(found[1]), int(found[2])


PROTOCOLS = {
    "published": Protocol(1, 1350, "dagm/six_defective", _published),
    "ppl": Protocol(1, 2100, "dagm/ten_defective", _ppl),
}
