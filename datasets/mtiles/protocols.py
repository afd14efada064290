"""The published splits of the magnetic tiles. All of them leak: see `groups.py`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from uaps_jax.datasets.protocols import Parts, Protocol, read_list, require, train_test_split

_FOLDER = Path(__file__).parent
_PPL_SIZES = (137, 270, 538)


def _reconstructed(names: Mapping[str, str]) -> Parts:
    """UAPS: 310 of the 388 defective images train, 78 both validate and test.

    The rule is the released loader's, applied to sorted names; its own order of files depended on
    the file system, so its lists cannot be had.
    """
    train, test = train_test_split(sorted(names), 0.2, 69)
    return Parts(train=train, val=test, test=test, labeled={})


def _ppl(names: Mapping[str, str]) -> Parts:
    """PPL's lists: 137, 270 or 538 of 1073 training images; 271 both validate and test.

    They name all 1344 images, so they need the config `mtiles/all`.
    https://github.com/Barcaaaa/Perturbed-Progressive-Learning, magnetic_tile (Apache-2.0).
    """
    test = read_list(_FOLDER / "ppl_val.txt")
    labeled = {size: read_list(_FOLDER / f"ppl_labeled_{size}.txt") for size in _PPL_SIZES}
    require([*test, *(name for listed in labeled.values() for name in listed)], names, "ppl")
    train = sorted(names.keys() - set(test))
    return Parts(train=train, val=test, test=test, labeled=labeled)


PROTOCOLS = {
    "reconstructed": Protocol(1, 388, "mtiles/defective", _reconstructed),
    "ppl": Protocol(1, 1344, "mtiles/all", _ppl),
}
