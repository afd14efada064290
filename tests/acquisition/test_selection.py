"""Class-aware random images: the classes come in turn, the images of a class at random."""

from collections import Counter

import numpy as np
import pytest

from uaps_jax.acquisition import selection

CLASSES = [{1}] * 20 + [{2}] * 6 + [{3}] * 3 + [{1, 2}] + [set()] * 10


def drawn(count, seed=0, chosen=()):
    return selection.class_aware(CLASSES, count, np.random.default_rng(seed), chosen)


def test_every_class_has_its_turn():
    for seed in range(5):
        picked = drawn(9, seed)
        assert len(set(picked)) == 9
        counts = Counter(c for index in picked for c in CLASSES[index])
        assert set(counts) == {1, 2, 3}
        assert max(counts.values()) - min(counts.values()) <= 1
    # The one with two classes may count for both.
    assert drawn(1, chosen=(20, 21, 0))[0] in range(26, 29)


def test_a_class_that_is_used_up_leaves_the_others_and_clean_images_come_last():
    picked = drawn(40)
    assert sorted(picked) == list(range(40))
    assert set(picked[30:]) == set(range(30, 40))
    with pytest.raises(ValueError, match="41 images are to be chosen, and 40 are not annotated"):
        drawn(41)


def test_images_of_a_class_are_drawn_uniformly():
    first = Counter(drawn(1, seed, chosen=(26, 20))[0] for seed in range(2000))
    assert set(first) == set(range(20)) | {29}
    assert max(first.values()) < 150
    assert drawn(5, 3) == drawn(5, 3) != drawn(5, 4)
