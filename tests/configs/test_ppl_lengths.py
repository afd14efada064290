"""The steps of PPL's trainings: those of its released code on its lists."""

from fractions import Fraction

import pytest

from uaps_jax.configs.parts import ppl_lengths

# Epochs and steps of the three trainings, by the list: labeled and unlabeled images.
NEU = {
    Fraction(1, 16): ((226, 3404), 54, (1512, 22_950, 45_954)),
    Fraction(1, 8): ((453, 3177), 58, (3248, 23_026, 46_052)),
    Fraction(1, 4): ((907, 2723), 67, (7571, 22_780, 45_560)),
    Fraction(1, 2): ((1815, 1815), 100, (22_600, 45_300, 45_300)),
}
MTILES = {
    Fraction(1, 8): ((137, 936), 115, (1955, 13_455, 26_910)),
    Fraction(1, 4): ((270, 803), 134, (4422, 13_400, 26_800)),
    Fraction(1, 2): ((538, 535), 200, (13_400, 26_800, 26_800)),
}


@pytest.mark.parametrize(
    ("at_half", "ratio", "case"),
    [(100, ratio, case) for ratio, case in NEU.items()]
    + [(200, ratio, case) for ratio, case in MTILES.items()],
)
def test_lengths_are_the_published_ones(at_half, ratio, case):
    (labeled, unlabeled), epochs, steps = case
    found = ppl_lengths.lengths(ratio, at_half=at_half, labeled=labeled, unlabeled=unlabeled)
    assert [one.epochs for one in found] == [epochs] * 3
    assert tuple(one.steps for one in found) == steps
