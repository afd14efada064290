"""The published split of the six defective classes of DAGM 2007."""

from __future__ import annotations

from collections.abc import Mapping

from uaps_jax.datasets.protocols import Parts, Protocol, train_test_split


def _published(names: Mapping[str, str]) -> Parts:
    """UAPS: of 1350 defective images 918 train, 162 validate, 270 test.

    The rule of the released loader on sorted names gives exactly the 270 test images that
    https://github.com/djene-mengistu/STAC lists (dagm_seg/test.txt). The official halves are not
    used.
    """
    rest, test = train_test_split(sorted(names), 0.2, 69)
    train, val = train_test_split(rest, 0.15, 45)
    return Parts(train=train, val=val, test=test, labeled={})


PROTOCOLS = {"published": Protocol(1, 1350, "dagm/six_defective", _published)}
