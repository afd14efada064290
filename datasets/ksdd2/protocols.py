"""The split of KolektorSDD2 by UAPS's sizes and rule."""

from __future__ import annotations

from collections.abc import Mapping

from uaps_jax.datasets.protocols import Parts, Protocol, of_split, train_test_split


def _reconstructed(names: Mapping[str, str]) -> Parts:
    """UAPS: 196 of the official defective training images train, 50 validate; 110 official test.

    The rule is the released loader's, applied to sorted names; its lists are not published.
    """
    train, val = train_test_split(of_split(names, "train"), 0.2, 69)
    return Parts(train=train, val=val, test=of_split(names, "test"), labeled={})


PROTOCOLS = {"reconstructed": Protocol(1, 246 + 110, "ksdd2/defective", _reconstructed)}
