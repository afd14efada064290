"""Hand-worked cases of the oracles, and the oracles against the published code's own numbers."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import oracles

LN2, LN3 = math.log(2.0), math.log(3.0)


def data_dir():
    """Folder of shared data: UAPS_DATA_DIR, or ../shared/data beside the project."""
    default = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
    return Path(os.environ.get("UAPS_DATA_DIR") or default)


def shared_file(*parts):
    """Path of a file of the shared data; skips the test where it is absent."""
    path = data_dir().joinpath(*parts)
    if not path.is_file():
        pytest.skip(f"{path} is absent (set UAPS_DATA_DIR to the folder that holds {parts[0]}/)")
    return path


def relative_difference(ours, theirs):
    """Largest |a - b| over largest |b|."""
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


# Two pixels, two classes, both with probabilities (1/4, 3/4).
TWO_PIXELS = np.array([[[[0.0, LN3], [0.0, LN3]]]])


def test_softmax():
    assert_allclose(oracles.softmax([0.0, LN3]), [0.25, 0.75])
    assert_allclose(oracles.softmax([1000.0, 1000.0]), [0.5, 0.5])
    assert_allclose(oracles.log_softmax([0.0, LN3]), [-math.log(4), math.log(0.75)])
    assert_allclose(oracles.log_softmax([0.0, 2000.0]), [-2000.0, 0.0])


def test_cross_entropy():
    both = oracles.cross_entropy(TWO_PIXELS, [[[1, 0]]])
    assert both == pytest.approx((math.log(4 / 3) + math.log(4)) / 2)
    assert oracles.cross_entropy(TWO_PIXELS, [[[1, 255]]]) == pytest.approx(math.log(4 / 3))
    assert oracles.cross_entropy(TWO_PIXELS, [[[255, 255]]]) == 0.0
    assert oracles.cross_entropy(TWO_PIXELS, [[[1, 9]]], ignore=9) == pytest.approx(math.log(4 / 3))
    assert_allclose(oracles.cross_entropy_map(TWO_PIXELS, [[[255, 0]]]), [[[0, math.log(4)]]])


def test_dice_loss():
    # Class 0: I = 1/4, S = 1/2 + 1; class 1: I = 3/4, S = 3/2 + 1. Scores 1/3 and 3/5.
    both = oracles.dice_loss(TWO_PIXELS, [[[1, 0]]])
    assert both == pytest.approx(1 - (1 / 3 + 3 / 5) / 2, abs=1e-7)
    # Second pixel ignored: class 0 scores 0, class 1: I = 3/4, S = 7/4, score 6/7.
    one = oracles.dice_loss(TWO_PIXELS, [[[1, 255]]])
    assert one == pytest.approx(1 - 3 / 7, abs=1e-7)
    assert oracles.dice_loss(TWO_PIXELS, [[[255, 255]]]) == 1.0
    # A sure and right pixel: class 0 scores 0, class 1 scores 2 / (2 + 1e-7).
    sure = oracles.dice_loss([[[[0.0, 2000.0]]]], [[[1]]])
    assert sure == pytest.approx(0.5 + 2.5e-8, abs=1e-13)


def test_dice_sums_run_over_the_batch():
    # The same two pixels as two images of one pixel each: the same loss.
    as_batch = TWO_PIXELS.reshape(2, 1, 1, 2)
    batch = oracles.dice_loss(as_batch, np.array([1, 0]).reshape(2, 1, 1))
    assert batch == pytest.approx(oracles.dice_loss(TWO_PIXELS, [[[1, 0]]]), abs=1e-15)


def test_supervised_loss():
    expected = 0.5 * (math.log(4 / 3) + 4 / 7)
    assert oracles.supervised_loss(TWO_PIXELS, [[[1, 255]]]) == pytest.approx(expected, abs=1e-7)


def test_mix_probabilities_and_pseudo_label():
    assert_allclose(oracles.mix_probabilities([[1.0, 0.0], [0.0, 1.0]], [0.3, 0.7]), [0.3, 0.7])
    # One sure head outweighs two that lean the other way: (0.9 + 0.4 + 0.4) / 3 > 1/2.
    logits = np.log([[[[[0.9, 0.1]]]], [[[[0.4, 0.6]]]], [[[[0.4, 0.6]]]]])
    assert oracles.pseudo_label(logits, [1 / 3, 1 / 3, 1 / 3]).tolist() == [[[0]]]
    # 0.1 * 0.9 + 0.9 * 0.4 = 0.45: now class 1.
    assert oracles.pseudo_label(logits, [0.1, 0.45, 0.45]).tolist() == [[[1]]]


# Two heads, one pixel: (1/2, 1/2) and (1/4, 3/4), so the mean is (3/8, 5/8).
TWO_HEADS = np.array([[[[[0.0, 0.0]]]], [[[[0.0, LN3]]]]])
D_FIRST = 3 / 8 * math.log(3 / 4) + 5 / 8 * math.log(5 / 4)
D_SECOND = 3 / 8 * math.log(3 / 2) + 5 / 8 * math.log(5 / 6)


def test_kl_to_mean():
    maps = oracles.kl_to_mean(TWO_HEADS)
    assert maps.shape == (2, 1, 1, 1)
    assert_allclose(maps.reshape(-1), [D_FIRST, D_SECOND])
    same = np.stack([TWO_PIXELS] * 4)
    assert_allclose(oracles.kl_to_mean(same), np.zeros((4, 1, 1, 2)), atol=1e-15)
    # Sure and opposed heads: D = 1/2 (ln 1/2 + 0) + 1/2 (ln 1/2 + 2000).
    opposed = np.array([[[[[2000.0, 0.0]]]], [[[[0.0, 2000.0]]]]])
    assert_allclose(oracles.kl_to_mean(opposed).reshape(-1), [1000 - LN2] * 2)


@pytest.mark.parametrize("rectify", ["scalar", "pixel"])
def test_uaps_losses_one_pixel(rectify):
    ours = oracles.uaps_losses(TWO_HEADS, TWO_HEADS, [[[1]]], [0.5, 0.5], 0.1, 0.2, rectify=rectify)
    ce = [LN2, math.log(4 / 3)]
    dice = [1 - (2 * 0.5 / 1.5) / 2, 1 - (2 * 0.75 / 1.75) / 2]  # Class 0 scores 0.
    sup = [0.5 * (c + d) for c, d in zip(ce, dice, strict=True)]
    certainty = [math.exp(-D_FIRST), math.exp(-D_SECOND)]
    assert_allclose(ours["ce"], ce)
    assert_allclose(ours["dice"], dice, atol=1e-7)
    assert ours["l_sup"] == pytest.approx(sum(sup) / 2, abs=1e-7)
    assert ours["pseudo_label"].tolist() == [[[1]]]
    assert_allclose(ours["ps"], sup, atol=1e-7)
    assert ours["l_un"] == pytest.approx((D_FIRST + D_SECOND) / 2)
    if rectify == "scalar":
        ups = (sup[0] * certainty[0] + sup[1] * certainty[1]) / 2
    else:  # One pixel's weight cancels in a Dice of weighted sums.
        ups = sum(0.5 * c * w + 0.5 * d for c, d, w in zip(ce, dice, certainty, strict=True)) / 2
    assert ours["l_ups"] == pytest.approx(ups, abs=1e-7)
    total = ours["l_sup"] + 0.1 * ours["l_ups"] + 0.2 * ours["l_un"]
    assert ours["total"] == pytest.approx(total, abs=1e-15)


def test_uaps_losses_two_pixels_of_different_weight():
    # First pixel: both heads (1/4, 3/4), weight 1. Second: TWO_HEADS, weight exp(-D).
    logits = np.array([[[[[0.0, LN3], [0.0, 0.0]]]], [[[[0.0, LN3], [0.0, LN3]]]]])
    w = [math.exp(-D_FIRST), math.exp(-D_SECOND)]
    arguments = (logits, logits, [[[1, 1]]], [0.5, 0.5], 0.1, 0.1)
    # Class 1 of the first head: I = 3/4 + 1/2 w, S = 7/4 + 3/2 w; of the second: all by (1 + w).
    dice = [
        1 - (0.75 + 0.5 * w[0]) / (1.75 + 1.5 * w[0]),
        1 - (0.75 + 0.75 * w[1]) / (1.75 + 1.75 * w[1]),
    ]
    ce = [
        (math.log(4 / 3) + w[0] * LN2) / 2,
        (math.log(4 / 3) + w[1] * math.log(4 / 3)) / 2,
    ]
    pixel = oracles.uaps_losses(*arguments, rectify="pixel")
    assert pixel["l_ups"] == pytest.approx(sum(ce + dice) / 4, abs=1e-7)
    # Scalar: each head's plain loss times the mean weight.
    plain = [
        0.5 * ((math.log(4 / 3) + LN2) / 2 + 1 - 1.25 / 3.25),
        0.5 * (math.log(4 / 3) + 1 - 1.5 / 3.5),
    ]
    expected = (plain[0] * (1 + w[0]) / 2 + plain[1] * (1 + w[1]) / 2) / 2
    scalar = oracles.uaps_losses(*arguments)
    assert scalar["l_ups"] == pytest.approx(expected, abs=1e-7)
    assert_allclose(scalar["ps"], plain, atol=1e-7)
    with pytest.raises(ValueError, match="rectify"):
        oracles.uaps_losses(*arguments, rectify="other")


def test_numeric_gradient():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    slopes = oracles.numeric_gradient(lambda v: (v**3).sum(), x, [0, 2], 1e-5)
    assert_allclose(slopes, [3.0, 27.0], rtol=1e-8)
    assert x.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_ramp_up():
    assert oracles.ramp_up(0, 80, 200) == pytest.approx(0.0067379, abs=1e-7)
    assert oracles.ramp_up(79, 80, 200) == oracles.ramp_up(0, 80, 200)
    assert oracles.ramp_up(80, 80, 200) == pytest.approx(math.exp(-5 * 0.995**2))
    assert oracles.ramp_up(8000, 80, 200) == pytest.approx(0.2865048, abs=1e-7)
    assert oracles.ramp_up(16000, 80, 200) == 1.0
    assert oracles.ramp_up(99999, 80, 200) == 1.0


def test_energy_released():
    # The label's probabilities are 3/4 and 1/4.
    expected = math.log((math.exp(0.75) + math.exp(0.25)) / 2)
    assert oracles.energy_released(TWO_PIXELS, [[[1, 0]]]) == pytest.approx(expected)
    assert oracles.energy_released(TWO_PIXELS, [[[1, 255]]]) == pytest.approx(0.75)
    assert oracles.energy_released(TWO_PIXELS, [[[255, 255]]]) == 0.0


def test_free_energy_and_hinge():
    logits = np.array([[[[0.0, LN3], [0.0, 0.0]]]])  # E = -ln 4 and -ln 2.
    assert_allclose(oracles.free_energy(logits), [[[-2 * LN2, -LN2]]])
    assert_allclose(oracles.free_energy([1000.0, 1000.0]), -1000 - LN2)
    first, second, none = [[[1, 0]]], [[[0, 1]]], [[[0, 0]]]
    both = oracles.energy_hinge(logits, first, second, -2.0, 0.0)
    assert both == pytest.approx((2 - 2 * LN2) ** 2 + LN2**2)
    assert oracles.energy_hinge(logits, none, second, -2.0, 0.0) == pytest.approx(LN2**2)
    assert oracles.energy_hinge(logits, first, none, 0.0, 0.0) == 0.0
    # Both outside and m_out = -ln 2 - 0.5: only the second exceeds it, so the mean halves 0.
    outside = oracles.energy_hinge(logits, none, [[[1, 1]]], 0.0, -LN2 - 0.5)
    assert outside == pytest.approx((LN2 - 0.5) ** 2 / 2)


def test_uncertainty_maps():
    assert_allclose(oracles.entropy([[0.5, 0.5], [1.0, 0.0]]), [LN2, 0.0])
    stack = np.array([[[[[1.0, 0.0]]]], [[[[0.0, 1.0]]]]])
    assert_allclose(oracles.head_variance(stack), [[[0.25]]])
    assert_allclose(oracles.vote_disagreement(stack), [[[0.5]]])
    votes = np.eye(3)[[0, 0, 1, 2]].reshape(4, 1, 1, 1, 3)
    assert_allclose(oracles.vote_disagreement(votes), [[[0.5]]])
    agreed = np.eye(3)[[2, 2, 2, 2]].reshape(4, 1, 1, 1, 3)
    assert_allclose(oracles.vote_disagreement(agreed), [[[0.0]]])


def test_batch_norm():
    # 1 and 3: mean 2, biased variance 1, unbiased 2.
    x = np.array([1.0, 3.0]).reshape(2, 1, 1, 1)
    y, mean, var = oracles.batch_norm_train(x, [0.0], [1.0], [2.0], [1.0])
    root = math.sqrt(1 + 1e-5)
    assert_allclose(y.reshape(-1), [1 - 2 / root, 1 + 2 / root])
    assert_allclose(mean, [0.2])
    assert_allclose(var, [1.1])
    # 0, 1, 2, 3 over rows and columns: variance 5/4, unbiased 5/3; the old ones are 10 and 20.
    square = np.arange(4.0).reshape(1, 2, 2, 1)
    y, mean, var = oracles.batch_norm_train(square, [10.0], [20.0], [1.0], [0.0], momentum=0.25)
    assert_allclose(y.reshape(-1), (np.arange(4) - 1.5) / math.sqrt(1.25 + 1e-5))
    assert_allclose(mean, [7.5 + 0.375])
    assert_allclose(var, [15 + 5 / 12])
    evaluated = oracles.batch_norm_eval(x, [1.0], [4.0 - 1e-5], [3.0], [0.5])
    assert_allclose(evaluated.reshape(-1), [0.5, 3.5])
    with pytest.raises(ValueError, match="more than one"):
        oracles.batch_norm_train(x[:1], [0.0], [1.0], [1.0], [0.0])


def test_conv3x3():
    ones = oracles.conv3x3(np.ones((1, 3, 3, 1)), np.ones((3, 3, 1, 1)), [0.5])
    assert ones[0, :, :, 0].tolist() == [[4.5, 6.5, 4.5], [6.5, 9.5, 6.5], [4.5, 6.5, 4.5]]
    # A tap in the kernel's top right reads the pixel up and to the right: no flip.
    kernel = np.zeros((3, 3, 1, 1))
    kernel[0, 2] = 1.0
    x = np.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 2, 2, 1)
    assert oracles.conv3x3(x, kernel, [0.0])[0, :, :, 0].tolist() == [[0, 0], [2, 0]]
    # Two channels in, two out: (1, 2) -> (1 + 20, 100 + 2000).
    kernel = np.zeros((3, 3, 2, 2))
    kernel[1, 1] = [[1.0, 100.0], [10.0, 1000.0]]
    x = np.array([1.0, 2.0]).reshape(1, 1, 1, 2)
    assert oracles.conv3x3(x, kernel, [0.0, 0.0]).reshape(-1).tolist() == [21.0, 2100.0]


def test_conv1x1():
    x = np.array([1.0, 2.0]).reshape(1, 1, 1, 2)
    assert oracles.conv1x1(x, [[1.0], [10.0]], [0.5]).reshape(-1).tolist() == [21.5]
    kernel = np.array([1.0, 10.0]).reshape(1, 1, 2, 1)
    assert oracles.conv1x1(x, kernel, [0.5]).shape == (1, 1, 1, 1)


def test_max_pool2():
    x = np.array([[1.0, 2.0, 9.0, 8.0], [3.0, 0.0, 7.0, 6.0]]).reshape(1, 2, 4, 1)
    assert oracles.max_pool2(x)[0, :, :, 0].tolist() == [[3.0, 9.0]]
    # An odd rest is dropped.
    odd = np.arange(9.0).reshape(1, 3, 3, 1)
    assert oracles.max_pool2(odd).reshape(-1).tolist() == [4.0]


def test_upsample_align_corners_x2():
    # Two samples become four, at 0, 1/3, 2/3 and 1; rows step by 2 and columns by 1.
    x = np.array([[0.0, 3.0], [6.0, 9.0]]).reshape(1, 2, 2, 1)
    up = oracles.upsample_align_corners_x2(x)[0, :, :, 0]
    assert_allclose(up, [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7], [6, 7, 8, 9]], atol=1e-14)
    # Three samples become six, at multiples of 2/5.
    x = np.array([0.0, 5.0, 15.0]).reshape(1, 1, 3, 1)
    up = oracles.upsample_align_corners_x2(x)
    assert_allclose(up[0, :, :, 0], [[0, 2, 4, 7, 11, 15]] * 2, atol=1e-14)


def test_leaky_relu():
    assert_allclose(oracles.leaky_relu([-3.0, 0.0, 2.0]), [-0.03, 0.0, 2.0])


def one_channel_network():
    """Weights of width 1 at every level whose convolutions only pass their centre on."""
    weights = {}

    def conv(name, taps, size, bias=0.0):
        kernel = np.zeros((1, len(taps), size, size))
        kernel[0, :, size // 2, size // 2] = taps
        weights[name + ".weight"] = kernel
        weights[name + ".bias"] = np.array([bias])

    def block(name, taps):
        conv(name + ".conv_conv.0", taps, 3)
        conv(name + ".conv_conv.4", [1.0], 3)
        for norm in ("1", "5"):
            entry = f"{name}.conv_conv.{norm}"
            weights[entry + ".weight"] = np.ones(1)
            weights[entry + ".bias"] = np.zeros(1)
            weights[entry + ".running_mean"] = np.zeros(1)
            weights[entry + ".running_var"] = np.array([1.0 - 1e-5])

    block("encoder.in_conv", [1.0])
    for level in range(1, 5):
        block(f"encoder.down{level}.maxpool_conv.1", [2.0])
    for head, taps, bias in (("main_decoder", [1.0, 10.0], 0.5), ("aux_decoder1", [10.0, 1.0], 0)):
        for step in range(1, 5):
            conv(f"{head}.up{step}.conv1x1", [1.0], 1)
            block(f"{head}.up{step}.conv", taps)
        conv(head + ".out_conv", [1.0], 3, bias)
    return weights


def test_unet_eval_by_hand():
    features, logits = oracles.unet_eval(one_channel_network(), np.ones((1, 1, 16, 16)))
    # Each level doubles: 1, 2, 4, 8, 16.
    for level, feature in enumerate(features):
        assert feature.shape == (1, 1, 16 >> level, 16 >> level)
        assert_allclose(feature, np.full_like(feature, 2.0**level))
    # Main: skip + 10 * below: 168, 1684, 16842, 168421; the other: 10 * skip + below.
    assert len(logits) == 2
    assert_allclose(logits[0], np.full((1, 1, 16, 16), 168421.5))
    assert_allclose(logits[1], np.full((1, 1, 16, 16), 10 * (8 + 4 + 2 + 1) + 16.0))


def test_unet_train_by_hand():
    # A constant input has no variance: everything after the first BN is 0.
    logits, after = oracles.unet_train_no_dropout(one_channel_network(), np.ones((2, 1, 16, 16)))
    assert_allclose(logits, np.full((2, 1, 16, 16), 0.5))
    assert_allclose(after["encoder.in_conv.conv_conv.1.running_mean"], [0.1])
    assert_allclose(after["encoder.in_conv.conv_conv.1.running_var"], [0.9 * (1 - 1e-5)])
    assert_allclose(after["main_decoder.up4.conv.conv_conv.5.running_mean"], [0.0])
    assert len(after) == 2 * (10 + 8)


def test_perturbations():
    z = np.array([[1.0, 3.0], [5.0, 7.0]]).reshape(1, 2, 1, 2)
    assert_allclose(oracles.feature_noise(z, [0.1, -0.2]).reshape(-1), [1.1, 2.4, 5.5, 5.6])
    # Channel means 2 and 6: tau = 4.8 drops the second pixel.
    assert oracles.feature_dropout(z, 0.8).reshape(-1).tolist() == [1, 3, 0, 0]
    # tau = 2 exactly: A < tau is strict, so both go.
    assert oracles.feature_dropout(z, 1 / 3).reshape(-1).tolist() == [0, 0, 0, 0]
    # All means negative: tau = 0.8 * -2 is above them and nothing is dropped.
    assert oracles.feature_dropout(-z, 0.8).tolist() == (-z).tolist()
    # Each image has its own maximum.
    pair = np.concatenate([z, 10.0 * z])
    assert oracles.feature_dropout(pair, 0.8).reshape(-1).tolist() == [1, 3, 0, 0, 10, 30, 0, 0]
    keep = np.array([1, 0, 0, 1]).reshape(z.shape)
    assert oracles.dropout(z, keep, 0.5).reshape(-1).tolist() == [2, 0, 0, 14]
    assert_allclose(oracles.dropout(z, keep, 0.2).reshape(-1), [1.25, 0, 0, 8.75])


def test_brightness_contrast_and_noise():
    image = np.array([0.0, 100.0, 200.0]).reshape(1, 3, 1)
    changed = oracles.brightness_contrast(image, 1.5, 0.1)
    assert_allclose(changed.reshape(-1), [25.5, 175.5, 255.0])
    assert oracles.brightness_contrast(image, 1.0, -0.5).min() == 0.0
    noisy = oracles.gauss_noise(image, np.array([-5.0, 5.0, 60.0]).reshape(1, 3, 1))
    assert noisy.reshape(-1).tolist() == [0.0, 105.0, 255.0]


def test_box_blur():
    # Rows (0, 3, 6), reflected without repeating the border: 3 0 3 6 3 and further.
    image = np.tile(np.array([0.0, 3.0, 6.0]), (3, 1))[..., None]
    assert oracles.box_blur(image, 1).tolist() == image.tolist()
    expected = {
        3: [2, 3, 4],
        5: [18 / 5, 3, 12 / 5],
        7: [24 / 7, 3, 18 / 7],
    }
    for k, row in expected.items():
        blurred = oracles.box_blur(image, k)
        assert_allclose(blurred[..., 0], [row] * 3)
        assert_allclose(oracles.box_blur(image.swapaxes(0, 1), k), blurred.swapaxes(0, 1))
    spot = np.zeros((3, 3, 2))
    spot[1, 1] = [9.0, 18.0]
    # Reflected twice, the centre reaches the corners four times.
    assert_allclose(oracles.box_blur(spot, 3)[..., 0], [[4, 2, 4], [2, 1, 2], [4, 2, 4]])
    assert_allclose(oracles.box_blur(spot, 3)[1, 1], [1, 2])


def test_nearest_resize():
    row = np.array([[10, 20, 30]])
    assert oracles.nearest_resize(row, (1, 2)).tolist() == [[10, 20]]
    assert oracles.nearest_resize(row, (1, 5)).tolist() == [[10, 10, 20, 20, 30]]
    assert oracles.nearest_resize(row.T, (5, 1)).reshape(-1).tolist() == [10, 10, 20, 20, 30]
    image = np.arange(4).reshape(2, 2, 1)
    assert oracles.nearest_resize(image, (4, 4))[..., 0].tolist() == [
        [0, 0, 1, 1],
        [0, 0, 1, 1],
        [2, 2, 3, 3],
        [2, 2, 3, 3],
    ]


def test_dihedral():
    x = np.array([[1, 2, 3], [4, 5, 6]])
    assert oracles.hflip(x).tolist() == [[3, 2, 1], [6, 5, 4]]
    assert oracles.vflip(x).tolist() == [[4, 5, 6], [1, 2, 3]]
    assert oracles.rot90(x, 0).tolist() == x.tolist()
    assert oracles.rot90(x, 1).tolist() == [[3, 6], [2, 5], [1, 4]]
    assert oracles.rot90(x, 2).tolist() == [[6, 5, 4], [3, 2, 1]]
    assert oracles.rot90(x, 3).tolist() == [[4, 1], [5, 2], [6, 3]]
    stacked = np.random.default_rng(0).random((3, 4, 2))
    for k in range(4):
        assert_array_equal(oracles.rot90(stacked, k), np.rot90(stacked, k))


def test_normalize():
    image = np.array([0.0, 255.0]).reshape(1, 1, 2)
    assert_allclose(oracles.normalize(image, [0.5, 0.25], [0.25, 0.5]).reshape(-1), [-2, 1.5])


# Three images of three classes: one with two classes and an ignored pixel, one clean, one half hit.
TRUTHS = [np.array([[0, 1], [2, 255]]), np.zeros((2, 2), int), np.array([[1, 1], [0, 0]])]
PREDICTIONS = [np.array([[0, 1], [1, 2]]), np.array([[0, 2], [0, 0]]), np.array([[1, 0], [0, 0]])]


def test_confusion():
    counts = oracles.confusion(TRUTHS[0], PREDICTIONS[0], 3)
    assert counts.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]
    with pytest.raises(ValueError, match="not one of"):
        oracles.confusion([3], [0], 3)
    with pytest.raises(ValueError, match="shapes"):
        oracles.confusion([0, 0], [0], 3)


def test_image_scores():
    # First image: IoU 1/2 and 0, Dice 2/3 and 0; the third: IoU 1/2, Dice 2/3.
    score, counted, left_out = oracles.image_iou(TRUTHS, PREDICTIONS, 3)
    assert (counted, left_out) == (2, 1)
    assert score == pytest.approx((1 / 4 + 1 / 2) / 2, abs=1e-9)
    score, counted, left_out = oracles.image_dice(TRUTHS, PREDICTIONS, 3)
    assert (counted, left_out) == (2, 1)
    assert score == pytest.approx((1 / 3 + 2 / 3) / 2, abs=1e-9)
    # A class that only the prediction holds costs nothing by itself.
    assert oracles.image_iou([[[1, 0]]], [[[1, 2]]], 3) == (pytest.approx(1.0), 1, 0)
    score, counted, left_out = oracles.image_iou(TRUTHS[1:2], PREDICTIONS[1:2], 3)
    assert math.isnan(score)
    assert (counted, left_out) == (0, 1)


def test_image_scores_keep_the_published_epsilon():
    # Nothing right, one pixel each: (0 + e) / (2 + e) and 2 (0 + e) / (2 + e).
    assert oracles.image_iou([[[1, 0]]], [[[0, 1]]], 2)[0] == pytest.approx(0.5e-10, rel=1e-6)
    assert oracles.image_dice([[[1, 0]]], [[[0, 1]]], 2)[0] == pytest.approx(1e-10, rel=1e-6)
    assert oracles.image_iou([[[1]]], [[[1]]], 2)[0] == 1.0
    # All right, one pixel: 2 (1 + e) / (2 + e), slightly above 1.
    assert oracles.image_dice([[[1]]], [[[1]]], 2)[0] - 1 == pytest.approx(0.5e-10, rel=1e-3)


def test_dataset_iou():
    # Background: 1 + 3 + 2 right of 1 + 4 + 2 true and one false; class 1: 2 of 3 true, one false;
    # class 2: none of one true, one false.
    mean, foreground, per_class = oracles.dataset_iou(TRUTHS, PREDICTIONS, 3)
    assert_allclose(per_class, [6 / 8, 2 / 4, 0.0])
    assert mean == pytest.approx(1.25 / 3)
    assert foreground == pytest.approx(0.25)
    mean, foreground, per_class = oracles.dataset_iou(TRUTHS[2:], PREDICTIONS[2:], 3)
    assert_allclose(per_class, [2 / 3, 1 / 2, math.nan])
    assert mean == pytest.approx(7 / 12)
    assert foreground == pytest.approx(1 / 2)
    mean, foreground, _ = oracles.dataset_iou([[[0]]], [[[0]]], 3)
    assert mean == 1.0
    assert math.isnan(foreground)


def test_pixel_accuracy():
    # 2 of 3, 3 of 4, 3 of 4.
    assert oracles.pixel_accuracy(TRUTHS, PREDICTIONS) == pytest.approx(8 / 11)
    assert math.isnan(oracles.pixel_accuracy([[[255]]], [[[0]]]))


def test_clean_false_positive_rate():
    assert oracles.clean_false_positive_rate(TRUTHS, PREDICTIONS) == 1.0
    truths = [np.array([[0, 255]]), np.array([[0, 0]]), np.array([[0, 1]])]
    predictions = [np.array([[0, 1]]), np.array([[0, 1]]), np.array([[1, 1]])]
    # The first image's only false pixel is ignored; the third is not clean.
    assert oracles.clean_false_positive_rate(truths, predictions) == 0.5
    assert math.isnan(oracles.clean_false_positive_rate(truths[2:], predictions[2:]))


def test_plateau():
    rates = oracles.plateau([0.5, 0.5, 0.5, 0.6, 0.6, 0.6], 1.0, 0.1, 1, 1e-4, 0.05)
    assert_allclose(rates, [1, 1, 0.1, 0.1, 0.1, 0.05])
    # 0.50004 does not exceed 0.5 * 1.0001; 0.5001 does.
    assert oracles.plateau([0.5, 0.50004], 1.0, 0.1, 0, 1e-4, 0.0) == [1.0, 0.1]
    assert oracles.plateau([0.5, 0.5001], 1.0, 0.1, 0, 1e-4, 0.0) == [1.0, 1.0]
    assert oracles.plateau([0.5, 0.5], 1.0, 0.1, 0, 0.0, 0.0) == [1.0, 0.1]
    # The count starts again after a reduction.
    assert_allclose(oracles.plateau([1.0] * 5, 1.0, 0.5, 1, 1e-4, 0.0), [1.0, 1.0, 0.5, 0.5, 0.25])
    # 1e-8 to 1e-9 is a change of 9e-9: ignored. A nan is no improvement.
    assert oracles.plateau([1.0, 1.0], 1e-8, 0.1, 0, 1e-4, 0.0) == [1e-8, 1e-8]
    assert oracles.plateau([1.0, math.nan], 1.0, 0.5, 0, 1e-4, 0.0) == [1.0, 0.5]


def test_adam():
    first, second = oracles.adam([1.0], [[2.0], [-1.0]], 0.1)
    # After one step m / (1 - b1) = 2 and v / (1 - b2) = 4.
    assert_allclose(first, [1 - 0.1 * 2 / (2 + 1e-8)], rtol=1e-15)
    # Then m = 0.9 * 0.2 - 0.1 = 0.08, v = 0.999 * 0.004 + 0.001 = 0.004996.
    step = 0.1 * (0.08 / 0.19) / (math.sqrt(0.004996 / 0.001999) + 1e-8)
    assert_allclose(second, first - step, rtol=1e-12)


def test_train_test_split():
    # The example in scikit-learn's documentation: train [2, 0, 3], test [1, 4].
    assert oracles.train_test_split(range(5), 0.33, 42) == ([2, 0, 3], [1, 4])
    sizes = [(3630, 0.15, 545), (3085, 0.9, 2777), (918, 0.9, 827), (388, 0.2, 78), (246, 0.2, 50)]
    for count, test_size, test_count in sizes:
        train, test = oracles.train_test_split(list(range(count)), test_size, 45)
        assert len(test) == test_count
        assert sorted(train + test) == list(range(count))


def test_train_test_split_gives_the_published_dagm_test_set():
    pool = shared_file("splits", "dagm", "defective_1350.txt").read_text().split()
    published = shared_file("splits", "dagm", "published_test_270.txt").read_text().split()
    train, test = oracles.train_test_split(sorted(pool), 0.2, 69)
    assert set(test) == set(published)
    train, val = oracles.train_test_split(train, 0.15, 45)
    labeled, unlabeled = oracles.train_test_split(train, 0.9, 45)
    assert (len(train), len(val), len(labeled), len(unlabeled)) == (918, 162, 91, 827)


def test_parity_unet():
    """The whole network against the published one's float32 numbers."""
    differences = {}
    with np.load(shared_file("parity", "unet_neu.npz")) as file:
        prefix = "weights/"
        weights = {k.removeprefix(prefix): file[k] for k in file.files if k.startswith(prefix)}
        features, logits = oracles.unet_eval(weights, file["x"])
        assert len(features) == 5
        assert len(logits) == 4
        for level, feature in enumerate(features):
            key = f"eval/feature_{level}"
            differences[key] = relative_difference(feature, file[key])
        for head, values in enumerate(logits):
            key = f"eval/logits_clean_head_{head}"
            differences[key] = relative_difference(values, file[key])
        trained, after = oracles.unet_train_no_dropout(weights, file["x"])
        key = "train_no_dropout/logits_main"
        differences[key] = relative_difference(trained, file[key])
        prefix = "train_no_dropout/after/"
        expected = {k.removeprefix(prefix) for k in file.files if k.startswith(prefix)}
        assert set(after) == expected
        for name, values in after.items():
            differences[prefix + name] = relative_difference(values, file[prefix + name])
    report("unet_neu", differences)
    assert max(differences.values()) < 1e-5


@pytest.mark.parametrize("case", ["c4", "c2", "c7"])
def test_parity_uaps_losses(case):
    """The losses, and some of their gradients, against the published code's numbers."""
    with np.load(shared_file("parity", "uaps_losses.npz")) as file:
        stored = {k.split("/")[1]: file[k] for k in file.files if k.startswith(case + "/")}
    labeled = np.moveaxis(stored["labeled_logits"].astype(np.float64), 2, -1)
    unlabeled = np.moveaxis(stored["unlabeled_logits"].astype(np.float64), 2, -1)
    rest = (stored["labels"], stored["beta"], float(stored["w1"]), float(stored["w2"]))
    ours = oracles.uaps_losses(labeled, unlabeled, *rest)
    assert_array_equal(ours["pseudo_label"], stored["pseudo_label"])
    differences = {
        key: relative_difference(values, stored[key])
        for key, values in ours.items()
        if key != "pseudo_label"
    }

    def total_of_labeled(logits):
        return oracles.uaps_losses(logits, unlabeled, *rest)["total"]

    def total_of_unlabeled(logits):
        return oracles.uaps_losses(labeled, logits, *rest)["total"]

    slopes = {}
    rng = np.random.default_rng(0)
    for kind, total, at in (
        ("grad_labeled", total_of_labeled, labeled),
        ("grad_unlabeled", total_of_unlabeled, unlabeled),
    ):
        gradient = np.moveaxis(stored[kind].astype(np.float64), 2, -1).reshape(-1)
        largest = np.abs(gradient).argsort()[-10:]
        indices = np.concatenate([largest, rng.integers(gradient.size, size=20)])
        numeric = oracles.numeric_gradient(total, at, indices, 1e-4)
        slopes[kind] = np.abs(numeric - gradient[indices]).max() / np.abs(gradient).max()
    report(case, differences | slopes)
    assert max(differences.values()) < 1e-5
    assert max(slopes.values()) < 1e-5


def report(title, differences):
    """Print each relative difference and the largest (pytest -s shows them)."""
    print()
    for key, value in differences.items():
        print(f"{title} {key}: {value:.2e}")
    print(f"{title}: largest relative difference {max(differences.values()):.2e}")
