"""Hand-worked cases of the method oracles, and identities they must obey."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import method_oracles as methods
from tests import oracles

LN2, LN3 = math.log(2.0), math.log(3.0)


def row(*pixels):
    """Logits [1, 1, n, C] whose softmax at each pixel is the given distribution."""
    return np.log(np.array([[list(pixels)]], dtype=np.float64))


def pair(first, second):
    """Two networks' logits on one pixel, each from its distribution."""
    return np.stack([row(first), row(second)])


def one_pixel_loss(p):
    """Half of CE and Dice of one pixel of two classes whose true class has probability p.

    Dice: the absent class scores 0, the true one 2p / (p + 1), so the loss is 1 / (1 + p).
    """
    return 0.5 * (-math.log(p) + 1.0 / (1.0 + p))


def close(value):
    """Approximate, with a tolerance for the 1e-7 in Dice's denominator."""
    return pytest.approx(value, abs=2e-7)


# ---------------------------------------------------------------------------------------------
# Mean Teacher and uncertainty-aware Mean Teacher
# ---------------------------------------------------------------------------------------------


def test_ema_decay():
    assert [methods.ema_decay(t) for t in (0, 1, 9)] == pytest.approx([0.0, 0.5, 0.9])
    assert [methods.ema_decay(t) for t in (99, 100, 5000)] == pytest.approx([0.99] * 3)
    assert methods.ema_decay(98) < 0.99
    assert methods.ema_decay(9, ceiling=0.8) == 0.8


def test_ema():
    assert_allclose(methods.ema([1.0, 2.0], [5.0, 2.0], 0.75), [2.0, 2.0])
    assert_allclose(methods.ema([1.0], [5.0], methods.ema_decay(0)), [5.0])


def test_probability_mse():
    # Two pixels, two classes: the second pixel is equal, so 2 * 0.25^2 over 4 numbers.
    p, q = [[0.5, 0.5], [1.0, 0.0]], [[0.25, 0.75], [1.0, 0.0]]
    assert methods.probability_mse(p, q) == pytest.approx(0.125 / 4)
    with pytest.raises(ValueError, match="shapes differ"):
        methods.probability_mse(p, [[0.5, 0.5]])


def test_mean_teacher():
    ours = methods.mean_teacher(
        row([0.4, 0.6]), [[[1]]], row([0.5, 0.5]), row([0.25, 0.75]), weight=0.1
    )
    assert ours["supervised"] == close(one_pixel_loss(0.6))
    assert ours["consistency"] == pytest.approx(0.0625)
    assert ours["total"] == close(one_pixel_loss(0.6) + 0.00625)


def test_ua_mt_threshold():
    assert methods.ua_mt_threshold(0.1) == pytest.approx(0.693147, abs=5e-7)
    assert methods.ua_mt_threshold(0.0) == pytest.approx(0.75 * LN2)
    # The ramp's first weight, 0.00067379.
    assert methods.ua_mt_threshold(0.00067379) / LN2 == pytest.approx(0.752, abs=5e-4)


def two_pixel_ua_mt(threshold):
    """Pixel 1: two sure and opposed samples. Pixel 2: two samples (0.9, 0.05, 0.05)."""
    samples = np.array(
        [
            [[[[2000.0, 0.0, 0.0], np.log([0.9, 0.05, 0.05])]]],
            [[[[0.0, 2000.0, 0.0], np.log([0.9, 0.05, 0.05])]]],
        ]
    )
    student = row([0.8, 0.1, 0.1], [0.5, 0.25, 0.25])
    teacher = row([0.1, 0.8, 0.1], [0.25, 0.5, 0.25])
    labeled = row([0.3, 0.6, 0.1])
    return methods.ua_mt(labeled, [[[1]]], student, teacher, samples, 0.2, threshold)


def test_ua_mt_keeps_the_certain_pixel():
    # Pixel 1's mean is (1/2, 1/2, 0), of entropy ln 2, though each of its samples is sure.
    ours = two_pixel_ua_mt(methods.ua_mt_threshold(0.0))
    assert ours["kept"] == 0.5
    # (1/16 + 1/16) over 2 * 1, not over the three classes.
    assert ours["consistency"] == pytest.approx(0.0625)
    assert ours["supervised"] == close(0.5 * (-math.log(0.6) + 1 - (2 * 0.6 / 1.6) / 3))
    assert ours["total"] == pytest.approx(ours["supervised"] + 0.2 * 0.0625)


def test_ua_mt_keeps_all_or_none():
    # The 1e-6 in the logarithm puts pixel 1's entropy 2e-6 below ln 2.
    everything = two_pixel_ua_mt(LN2 - 1e-6)
    assert everything["kept"] == 1.0
    assert everything["consistency"] == pytest.approx((0.98 + 0.125) / 4)
    assert two_pixel_ua_mt(LN2 - 3e-6)["kept"] == 0.5
    nothing = two_pixel_ua_mt(0.1)
    assert nothing["kept"] == 0.0
    assert nothing["consistency"] == 0.0
    assert nothing["total"] == nothing["supervised"]


# ---------------------------------------------------------------------------------------------
# CCT, CPS, DCT, UCC
# ---------------------------------------------------------------------------------------------


def test_cct():
    labeled = np.stack([row([0.1, 0.9]), row([0.5, 0.5]), row([0.8, 0.2])])
    unlabeled = np.stack([row([0.5, 0.5]), row([0.25, 0.75]), row([0.5, 0.5])])
    ours = methods.cct(labeled, unlabeled, [[[1]]], weight=0.1)
    supervised = (one_pixel_loss(0.9) + one_pixel_loss(0.5) + one_pixel_loss(0.2)) / 3
    assert ours["supervised"] == close(supervised)
    # Each auxiliary head against the main one: 1/16 and 0, their mean.
    assert ours["consistency"] == pytest.approx(1 / 32)
    assert ours["total"] == close(supervised + 0.1 / 32)


def test_cps():
    labeled = pair([0.25, 0.75], [0.6, 0.4])
    unlabeled = pair([0.2, 0.8], [0.3, 0.7])
    ours = methods.cps(labeled, unlabeled, [[[1]]], weight=0.1)
    supervised = one_pixel_loss(0.75) + one_pixel_loss(0.4)
    # Both say class 1 on the unlabelled pixel.
    cross_unlabeled = one_pixel_loss(0.8) + one_pixel_loss(0.7)
    # On the labelled one the label is 0 for network 1 and 1 for network 2.
    cross_labeled = one_pixel_loss(0.25) + one_pixel_loss(0.4)
    assert ours["supervised"] == close(supervised)
    assert ours["cross_unlabeled"] == close(cross_unlabeled)
    assert ours["cross_labeled"] == close(cross_labeled)
    assert ours["total"] == close(supervised + 0.1 * (cross_unlabeled + cross_labeled))


def test_cps_pseudo_labels_cover_ignored_pixels():
    labeled = pair([0.25, 0.75], [0.6, 0.4])
    ours = methods.cps(labeled, labeled, [[[255]]], weight=1.0)
    # Without a valid pixel CE is 0 and Dice 1, for each network.
    assert ours["supervised"] == pytest.approx(1.0)
    assert ours["cross_labeled"] == close(one_pixel_loss(0.25) + one_pixel_loss(0.4))


def test_dct_turns_against_the_clock():
    left, right = [0.9, 0.1], [0.3, 0.7]
    plain = row(left, right)
    right_above_left = row(right, left).reshape(1, 2, 1, 2)

    def consistency(turned, k):
        return methods.dct(row([0.4, 0.6]), [[[1]]], plain, turned, k, 0.1)["consistency"]

    assert consistency(right_above_left, 1) == pytest.approx(0.0, abs=1e-15)
    assert consistency(plain, 0) == pytest.approx(0.0, abs=1e-15)
    assert consistency(plain[:, :, ::-1], 2) == pytest.approx(0.0, abs=1e-15)
    # The other way round both pixels are off by 0.6 in both classes.
    assert consistency(right_above_left, 3) == pytest.approx(0.36)


def test_dct_total():
    plain = np.random.RandomState(0).normal(size=(2, 2, 3, 3))
    turned = np.random.RandomState(1).normal(size=(2, 3, 2, 3))
    ours = methods.dct(row([0.4, 0.6]), [[[1]]], plain, turned, 3, 0.1)
    expected = np.rot90(oracles.softmax(plain), 3, axes=(1, 2))
    difference = ((oracles.softmax(turned) - expected) ** 2).mean()
    assert ours["consistency"] == pytest.approx(difference)
    assert ours["supervised"] == close(one_pixel_loss(0.6))
    assert ours["total"] == pytest.approx(ours["supervised"] + 0.1 * difference)


def test_ucc_one_pixel():
    labeled = pair([0.3, 0.7], [0.4, 0.6])
    weak = pair([0.6, 0.4], [0.25, 0.75])
    strong = pair([0.5, 0.5], [0.8, 0.2])
    ours = methods.ucc(labeled, [[[1]]], weak, strong, weight=0.1)
    d_1 = 0.8 * math.log(0.8 / 0.6) + 0.2 * math.log(0.2 / 0.4)
    d_2 = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    # The label of head 1 is 1, of the weak head 2; that of head 2 is 0, of the weak head 1.
    pseudo = one_pixel_loss(0.5) * math.exp(-d_1) + one_pixel_loss(0.8) * math.exp(-d_2)
    supervised = one_pixel_loss(0.7) + one_pixel_loss(0.6)
    assert ours["supervised"] == close(supervised)
    assert ours["pseudo"] == close(pseudo)
    assert ours["uncertainty"] == pytest.approx(d_1 + d_2)
    assert ours["total"] == close(supervised + 0.1 * (pseudo + d_1 + d_2))


def test_ucc_discounts_by_the_mean_of_the_exponentials():
    # Head 1 says (1/2, 1/2) everywhere, so D_1 and D_2 are ln 2 where head 2 is sure, else 0.
    sure, unsure = [1.0 - 1e-12, 1e-12], [0.5, 0.5]
    head_1, head_2 = row(unsure, unsure), row(sure, unsure)
    ours = methods.ucc(
        pair([0.5, 0.5], [0.5, 0.5]), [[[1]]], [head_1, head_2], [head_1, head_2], 1.0
    )
    assert ours["uncertainty"] == pytest.approx(LN2)
    # All targets are class 0. Head 1: CE ln 2, Dice 1 - (2 / 3) / 2; the discount is 3/4.
    loss_1 = 0.5 * (LN2 + 2 / 3)
    # Head 2: CE (0 + ln 2) / 2; class 0 has I = 3/2 and S = 7/2.
    loss_2 = 0.5 * (LN2 / 2 + 1 - 3 / 7)
    assert ours["pseudo"] == close(0.75 * (loss_1 + loss_2))


# ---------------------------------------------------------------------------------------------
# CPCL
# ---------------------------------------------------------------------------------------------


def test_disagreement_weights():
    w = methods.disagreement_weights([[60000, 300], [200, 1500]])
    assert_allclose(w, [0.028, 0.972], atol=5e-4)
    # N + I = [[2, 1, 0], [0, 1, 0], [0, 1, 1]]: raw indicators 1/3, 2/3, 1/2.
    w = methods.disagreement_weights([[1, 1, 0], [0, 0, 0], [0, 1, 0]])
    assert_allclose(w, np.array([1 / 3, 2 / 3, 1 / 2]) / (1.5 + 1e-6), rtol=1e-12)
    # A class nobody names has the identity only; full agreement has no indicator at all.
    assert_array_equal(methods.disagreement_weights([[5, 0], [0, 0]]), [0.0, 0.0])


# Labels (0, 0, 2) and (0, 1, 1), which is the second matrix above.
BRANCH_1 = row([0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7])
BRANCH_2 = row([0.5, 0.4, 0.1], [0.1, 0.9, 0.0 + 1e-12], [0.3, 0.5, 0.2])


def test_cpcl_pseudo_labels():
    inter, union, omega_inter, omega_union, w = methods.cpcl_pseudo_labels([BRANCH_1, BRANCH_2])
    assert inter.tolist() == [[[0, 255, 255]]]
    assert union.tolist() == [[[0, 1, 1]]]
    assert_allclose(omega_inter, [[[0.65, 0.75, 0.6]]])
    assert_allclose(omega_union, [[[0.65, 0.9, 0.5]]])
    assert_allclose(w, [2 / 9, 4 / 9, 1 / 3], rtol=1e-6)


def test_cpcl_pseudo_labels_do_not_favour_a_branch():
    straight = methods.cpcl_pseudo_labels([BRANCH_1, BRANCH_2])
    swapped = methods.cpcl_pseudo_labels([BRANCH_2, BRANCH_1])
    for one, other in zip(straight, swapped, strict=True):
        assert_allclose(one, other)


def test_cpcl_tie_takes_the_second_branch():
    # Labels (0, 1) and (1, 0): N + I is all ones.
    teacher = [row([0.9, 0.1], [0.2, 0.8]), row([0.3, 0.7], [0.6, 0.4])]
    _, union, _, omega_union, w = methods.cpcl_pseudo_labels(teacher)
    assert w[0] == w[1]
    assert union.tolist() == [[[1, 0]]]
    assert_allclose(omega_union, [[[0.7, 0.6]]])


def test_cpcl_union_of_two_classes_is_the_logical_or():
    random = np.random.RandomState(3)
    teacher = random.normal(size=(2, 2, 6, 6, 2)) + np.array([0.8, 0.0])
    l_1, l_2 = teacher.argmax(axis=-1)
    assert 0 < (l_1 & l_2).sum() < ((1 - l_1) & (1 - l_2)).sum()
    assert (l_1 < l_2).any()
    assert (l_1 > l_2).any()
    inter, union, _, _, _ = methods.cpcl_pseudo_labels(teacher)
    assert_array_equal(union, l_1 | l_2)
    assert_array_equal(inter, np.where(l_1 == l_2, l_1, 255))


def test_cpcl_losses():
    labeled = pair([0.3, 0.7], [0.4, 0.6])
    # Labels (0, 1) and (0, 0): N + I = [[2, 0], [1, 1]], raw indicators 1/3 and 1/2, so the
    # union's second pixel is branch 1's class 1 with its confidence.
    teacher = [row([0.7, 0.3], [0.2, 0.8]), row([0.9, 0.1], [0.6, 0.4])]
    mixed = [row([0.5, 0.5], [0.5, 0.5]), row([0.25, 0.75], [0.75, 0.25])]
    ours = methods.cpcl(labeled, [[[1]]], teacher, mixed, weight=5.0)
    # The mean runs over both pixels, the ignored one too.
    intersection = 0.8 * LN2 / 2
    union = (0.8 * math.log(4) + 0.8 * math.log(4)) / 2
    supervised = one_pixel_loss(0.7) + one_pixel_loss(0.6)
    assert ours["supervised"] == close(supervised)
    assert ours["intersection"] == pytest.approx(intersection)
    assert ours["union"] == pytest.approx(union)
    assert ours["total"] == close(supervised + 5.0 * (intersection + union))


# ---------------------------------------------------------------------------------------------
# DUEB
# ---------------------------------------------------------------------------------------------


# One pixel (1/2, 1/2) whose class 1 the two draws move to 3/4 and to 1/4.
EVEN = np.zeros((1, 1, 1, 2))
DRAWS = np.array([[[[[0.0, LN3]]]], [[[[LN3, 0.0]]]]])


def test_aleatoric_released_one_pixel():
    # CE - CE_t is ln 2 - ln 4/3 = ln 3/2 and ln 2 - ln 4 = -ln 2; -ELU is -ln 3/2 and 1 - 1/2.
    factor = (-math.log(1.5) + 0.5) / 2
    ours = methods.aleatoric_released(EVEN, [[[1.0]]], [[[1]]], DRAWS)
    assert ours == pytest.approx(LN2 * factor + LN2 + math.e - 1)
    # The variance is no standard deviation: four times of it is twice the noise.
    wide = methods.aleatoric_released(EVEN, [[[4.0]]], [[[1]]], DRAWS / 2)
    assert wide == pytest.approx(LN2 * factor + LN2 + math.exp(4) - 1)


def test_aleatoric_released_without_variance_is_the_cross_entropy():
    random = np.random.RandomState(0)
    logits, noise = random.normal(size=(1, 2, 2, 3)), random.normal(size=(3, 1, 2, 2, 3))
    labels = np.array([[[0, 1], [2, 255]]])
    ours = methods.aleatoric_released(logits, np.zeros((1, 2, 2)), labels, noise)
    assert ours == pytest.approx(oracles.cross_entropy(logits, labels))


def test_aleatoric_released_depressor_of_a_softplus():
    # e^softplus(a) - 1 = e^a; the ignored pixel counts.
    a = np.array([[[-1.0, 0.5]]])
    logits = row([0.5, 0.5], [0.5, 0.5])
    still = np.zeros((1, 1, 1, 2, 2))
    ours = methods.aleatoric_released(logits, np.log1p(np.exp(a)), [[[1, 255]]], still)
    assert ours == pytest.approx(LN2 + (math.exp(-1.0) + math.exp(0.5)) / 2)
    empty = methods.aleatoric_released(logits, np.log1p(np.exp(a)), [[[255, 255]]], still)
    assert empty == pytest.approx((math.exp(-1.0) + math.exp(0.5)) / 2)


def test_aleatoric_released_compares_batch_means():
    # One draw turns the pixels' probabilities into 3/4 and 1/3: CE_t is ln 4/3 and ln 3, whose
    # mean is ln 2 = CE, so that the draw leaves no trace.
    logits = row([0.5, 0.5], [0.5, 0.5])
    noise = np.array([[[[[0.0, LN3], [0.0, -LN2]]]]])
    ours = methods.aleatoric_released(logits, np.ones((1, 1, 2)), [[[1, 1]]], noise)
    assert ours == pytest.approx(LN2 + math.e - 1)


def test_aleatoric_repaired_one_pixel():
    # The mean of 3/4 and 1/4 is 1/2.
    ours = methods.aleatoric_repaired(EVEN, [[[0.0]]], [[[1]]], DRAWS)
    assert ours == pytest.approx(LN2)
    # The log variance 2 ln 2 is sigma 2; one draw only.
    ours = methods.aleatoric_repaired(EVEN, [[[2 * LN2]]], [[[1]]], DRAWS[:1] / 2)
    assert ours == pytest.approx(math.log(4 / 3))
    # Draws of unequal size: (3/4 + 1/3) / 2 = 13/24.
    draws = np.array([[[[[0.0, LN3]]]], [[[[LN2, 0.0]]]]])
    ours = methods.aleatoric_repaired(EVEN, [[[0.0]]], [[[1]]], draws)
    assert ours == pytest.approx(math.log(24 / 13))


@pytest.mark.parametrize(("log_variance", "sigma"), [(10.0, math.exp(1.5)), (-50, math.exp(-3.5))])
def test_aleatoric_repaired_clips_the_log_variance(log_variance, sigma):
    draw = np.array([[[[[0.0, LN3 / sigma]]]]])
    ours = methods.aleatoric_repaired(EVEN, [[[log_variance]]], [[[1]]], draw)
    assert ours == pytest.approx(math.log(4 / 3))


def test_aleatoric_repaired_means_over_valid_pixels():
    logits = row([0.5, 0.5], [0.25, 0.75], [0.9, 0.1])
    calm, still = np.zeros((1, 1, 3)), np.zeros((2, 1, 1, 3, 2))
    labels = [[[1, 0, 255]]]
    plain = methods.aleatoric_repaired(logits, calm, labels, still)
    assert plain == pytest.approx(oracles.cross_entropy(logits, labels))
    # Weights are not normalised: the divisor stays the two valid pixels.
    weighted = methods.aleatoric_repaired(logits, calm, labels, still, [[[0.5, 0.25, 9.0]]])
    assert weighted == pytest.approx((0.5 * LN2 + 0.25 * math.log(4)) / 2)
    assert methods.aleatoric_repaired(logits, calm, [[[255] * 3]], still) == 0.0


def one_pixel_dueb(**changes):
    """DUEB on one pixel without variance and noise; the branches agree on class 1."""
    arguments = {
        "labeled": pair([0.25, 0.75], [0.6, 0.4]),
        "labeled_variance": np.zeros((2, 1, 1, 1)),
        "labels": [[[1]]],
        "teacher": pair([0.3, 0.7], [0.4, 0.6]),
        "mixed": pair([0.5, 0.5], [0.8, 0.2]),
        "mixed_variance": np.zeros((2, 1, 1, 1)),
        "noise_labeled": np.zeros((2, 3, 1, 1, 1, 2)),
        "noise_mixed": np.zeros((2, 3, 1, 1, 1, 2)),
        "weight_unlabeled": 5.0,
    }
    return methods.dueb(**{**arguments, **changes})


def test_dueb_one_pixel():
    ours = one_pixel_dueb()
    # Without variance A is CE; the energy of a single pixel, ln 1 subtracted, is p_y.
    expected = {
        "supervised": one_pixel_loss(0.75) + one_pixel_loss(0.4),
        "intersection": 0.65 * LN2,
        "union": 0.65 * math.log(5),
        "aleatoric_labeled": -math.log(0.75) - math.log(0.4),
        "energy_labeled": 0.75 + 0.4,
        "aleatoric_unlabeled": LN2 + math.log(5),
        "energy_unlabeled": 0.5 + 0.2,
    }
    coefficients = [1.0, 5.0, 5.0, 0.5, 0.5, 1.0, 1.0]
    for name, value in expected.items():
        assert ours[name] == close(value), name
    total = sum(c * v for c, v in zip(coefficients, expected.values(), strict=True))
    assert ours["total"] == close(total)
    weights = {"aleatoric_labeled": 2.0, "aleatoric_unlabeled": 3.0}
    other = one_pixel_dueb(**weights, energy_labeled=7.0, energy_unlabeled=11.0)
    coefficients = [1.0, 5.0, 5.0, 2.0, 7.0, 3.0, 11.0]
    total = sum(c * v for c, v in zip(coefficients, expected.values(), strict=True))
    assert other["total"] == close(total)


def test_dueb_without_its_terms_is_cpcl():
    none = dict.fromkeys(
        ["aleatoric_labeled", "aleatoric_unlabeled", "energy_labeled", "energy_unlabeled"], 0.0
    )
    labeled, teacher = pair([0.25, 0.75], [0.6, 0.4]), pair([0.3, 0.7], [0.4, 0.6])
    base = methods.cpcl(labeled, [[[1]]], teacher, pair([0.5, 0.5], [0.8, 0.2]), 5.0)
    assert one_pixel_dueb(**none)["total"] == pytest.approx(base["total"])


def test_dueb_without_agreement():
    # Raw indicators are equal: the union takes branch 2's class 0, of confidence 0.7.
    ours = one_pixel_dueb(teacher=pair([0.3, 0.7], [0.7, 0.3]))
    assert ours["intersection"] == 0.0
    assert ours["union"] == pytest.approx(0.7 * math.log(1.25))
    assert ours["aleatoric_unlabeled"] == pytest.approx(math.log(1.25))
    assert ours["energy_unlabeled"] == pytest.approx(0.8)
    assert math.isfinite(ours["total"])


def test_dueb_variance_and_noise_belong_to_their_branch():
    # Branch 2's labelled CE is -ln 0.4; a draw of ln 4 on class 1 makes it ln(11 / 8).
    labeled_variance = np.array([0.0, 1.0]).reshape(2, 1, 1, 1)
    mixed_variance = np.array([0.5, 0.0]).reshape(2, 1, 1, 1)
    noise = np.zeros((2, 1, 1, 1, 1, 2))
    noise[1, ..., 1] = math.log(4)
    noise[0, ..., 1] = 3.0
    ours = one_pixel_dueb(
        labeled_variance=labeled_variance, mixed_variance=mixed_variance, noise_labeled=noise
    )
    plain = -math.log(0.4)
    second = plain * (math.log(11 / 8) - plain) + plain + math.e - 1
    assert ours["aleatoric_labeled"] == pytest.approx(-math.log(0.75) + second)
    mixed = LN2 + math.log(5) + math.exp(0.5) - 1
    assert ours["aleatoric_unlabeled"] == pytest.approx(mixed)


# ---------------------------------------------------------------------------------------------
# Augmentations
# ---------------------------------------------------------------------------------------------


def test_cutmix_mask():
    mask = methods.cutmix_mask([[0, 0, 2, 3], [1, 2, 3, 4]], 3, 5)
    assert mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 0, 1, 0], [0, 0, 1, 1, 0]]
    assert methods.cutmix_mask([[0, 0, 2, 2]] * 2, 2, 2).sum() == 0
    assert methods.cutmix_mask([[0, 0, 2, 2]] * 3, 2, 2).sum() == 4
    assert methods.cutmix_mask(np.zeros((0, 4), dtype=int), 2, 2).sum() == 0


def test_grid_distortion_axis():
    # Unit factors are not the identity: each cell reaches its end inclusively.
    assert_allclose(methods.grid_distortion_axis(4, 2, [1, 1, 1]), [0, 2, 2, 4])
    # Cells of 3: 0..4.5, then 4.5..6.
    ours = methods.grid_distortion_axis(6, 2, [1.5, 0.5, 9.0])
    assert_allclose(ours, [0, 2.25, 4.5, 4.5, 5.25, 6])
    # Cells of 3, the last one cut short to two pixels, which ends at 11 whatever its factor.
    ours = methods.grid_distortion_axis(11, 3, [1, 2, 0.5, 9.0])
    assert_allclose(ours, [0, 1.5, 3, 3, 6, 9, 9, 9.75, 10.5, 10.5, 11])
    # A last cell of one pixel has only its start.
    assert_allclose(methods.grid_distortion_axis(5, 2, [1, 0.5, 9.0]), [0, 2, 2, 3, 3])
    # A whole last cell beyond the number of steps uses the spare factor.
    ours = methods.grid_distortion_axis(8, 3, [1, 1, 1, 0.5])
    assert_allclose(ours, [0, 2, 2, 4, 4, 6, 6, 7])


LINE = np.array([[10, 20, 40, 80]])


def test_remap_bilinear():
    columns = [0.0, 0.25, 2.5, 3.0, -1.0, -0.5, 3.5, 4.0, -2.25, 7.0]
    expected = [10, 12.5, 60, 80, 20, 15, 60, 40, 50, 20]
    assert_allclose(methods.remap_reflect101(LINE, [0], columns, False), [expected])
    assert_allclose(methods.remap_reflect101(LINE.T, columns, [0], False)[:, 0], expected)
    # A plane is reproduced; each channel by itself.
    i, j = np.mgrid[0:3, 0:4]
    plane = np.stack([10.0 * i + j, 7.0 - i], axis=-1)
    rows, columns = [0.5, 1.75], [0.0, 2.2, 3.0]
    ours = methods.remap_reflect101(plane, rows, columns, False)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    assert_allclose(ours, np.stack([10.0 * y + x, 7.0 - y], axis=-1))


def test_remap_nearest():
    columns = [0.49, 0.5, 1.5, 2.5, -0.5, -0.51, 3.5, 4.4]
    ours = methods.remap_reflect101(LINE, [0], columns, True)
    assert ours.tolist() == [[10, 20, 40, 80, 10, 20, 40, 40]]
    assert ours.dtype == LINE.dtype
    image = np.arange(24.0).reshape(3, 4, 2)
    assert_array_equal(methods.remap_reflect101(image, range(3), range(4), True), image)


def test_color_jitter_one_at_a_time():
    pixel = np.array([[[100.0, 0.0, 0.0]]])
    assert_allclose(methods.color_jitter(pixel, 1, 1, 1, 0), pixel, atol=1e-12)
    bright = methods.color_jitter([[[200.0, 100.0, 0.0]]], 2, 1, 1, 0)
    assert_allclose(bright, [[[255, 200, 0]]], atol=1e-12)
    # The grey of (100, 0, 0) is 29.9; its mean with a black pixel's is 14.95.
    two = np.array([[[100.0, 0.0, 0.0], [0.0, 0.0, 0.0]]])
    flat = methods.color_jitter(two, 1, 0, 1, 0)
    assert_allclose(flat, np.full((1, 2, 3), 14.95), atol=1e-12)
    half = methods.color_jitter(pixel, 1, 1, 0.5, 0)
    assert_allclose(half, [[[64.95, 14.95, 14.95]]], atol=1e-12)
    double = methods.color_jitter(pixel, 1, 1, 2, 0)
    assert_allclose(double, [[[170.1, 0, 0]]], atol=1e-12)
    # Thirds of the turn: red to green, and to blue; a whole turn is none.
    assert_allclose(methods.color_jitter(pixel, 1, 1, 1, 1 / 3), [[[0, 100, 0]]], atol=1e-9)
    assert_allclose(methods.color_jitter(pixel, 1, 1, 1, -1 / 3), [[[0, 0, 100]]], atol=1e-9)
    colors = np.random.RandomState(0).uniform(0, 255, size=(2, 2, 3))
    assert_allclose(methods.color_jitter(colors, 1, 1, 1, 1), colors)
    # The weights of green and blue.
    assert_allclose(
        methods.color_jitter([[[0.0, 100.0, 0.0]]], 1, 1, 0, 0), np.full((1, 1, 3), 58.7)
    )
    assert_allclose(
        methods.color_jitter([[[0.0, 0.0, 100.0]]], 1, 1, 0, 0), np.full((1, 1, 3), 11.4)
    )


def test_color_jitter_order():
    # Brightness first: 200 and 255, of mean 227.5, then halfway to it.
    greys = np.array([[[100.0] * 3, [200.0] * 3]])
    ours = methods.color_jitter(greys, 2, 0.5, 1, 0)
    assert_allclose(ours, [[[213.75] * 3, [241.25] * 3]])
    # Contrast before saturation: (200, 100, 100) has grey 129.9, and contrast 2 gives
    # (255, 70.1, 70.1), of grey 125.3851; the other order has nothing to clip.
    ours = methods.color_jitter([[[200.0, 100.0, 100.0]]], 1, 2, 0.5, 0)
    grey = 0.299 * 255 + 0.701 * 70.1
    assert_allclose(ours, [[[(255 + grey) / 2, (70.1 + grey) / 2, (70.1 + grey) / 2]]])
    # Saturation before hue: grey 29.9 is red's, not green's.
    ours = methods.color_jitter([[[100.0, 0.0, 0.0]]], 1, 1, 0.5, 1 / 3)
    assert_allclose(ours, [[[14.95, 64.95, 14.95]]])


def test_pixel_dropout():
    image = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    ours = methods.pixel_dropout(image, [[True, False]])
    assert ours.tolist() == [[[1.0, 2.0], [0.0, 0.0]]]
    assert image[0, 1, 0] == 3.0


# ---------------------------------------------------------------------------------------------
# Reports
# ---------------------------------------------------------------------------------------------


def test_pseudo_label_health():
    target = [[[0, 0, 1, 1]], [[2, 1, 0, 255]]]
    kept = [[[1, 1, 1, 0]], [[1, 1, 0, 0]]]
    student = [[[0, 1, 1, 1]], [[0, 2, 0, 0]]]
    truth = [[[0, 1, 255, 1]], [[2, 1, 0, 0]]]
    ours = methods.pseudo_label_health(target, kept, student, truth, 4)
    # Kept targets 0, 0, 1, 2, 1 of eight pixels; right at 1st, 5th, 6th of the four judged.
    assert ours["share"] == [25.0, 25.0, 12.5, 0.0]
    assert ours["accuracy"] == 75.0
    # Pixels 1, 3, 4 and 7, kept or not.
    assert ours["agreement"] == 50.0


def test_pseudo_label_health_without_a_judged_pixel():
    ours = methods.pseudo_label_health([[[1, 0]]], [[[1, 0]]], [[[1, 0]]], [[[255, 0]]], 2)
    assert ours["share"] == [0.0, 50.0]
    assert math.isnan(ours["accuracy"])
    assert ours["agreement"] == 100.0


def test_macs_unet_by_hand():
    # Encoder: 4 * 9 * (1 + 1) + 1 * 9 * (2 + 4) = 126.
    # Decoder: 1 * 2 * 1 + 4 * 9 * (2 + 1) + 4 * 9 * 2 = 182.
    assert methods.macs_unet(1, 2, 0, 2, (1, 2)) == 308
    assert methods.macs_unet(1, 2, 3, 2, (1, 2)) == 126 + 4 * 182


@pytest.mark.parametrize(
    ("auxiliary", "giga"), [(0, 2.969), (1, 4.852), (2, 6.735), (3, 8.618), (4, 10.501)]
)
def test_macs_unet_published(auxiliary, giga):
    macs = methods.macs_unet(3, 4, auxiliary, 256, (16, 32, 64, 128, 256))
    assert macs / 1e9 == pytest.approx(giga, abs=5e-4)
