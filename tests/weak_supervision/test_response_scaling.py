"""Response scaling: thresholds without a CRF, an oracle and flips with one, weights of pixels."""

import functools

import jax
import numpy as np
import pytest

from tests import weak_oracles
from tests.crf.settings import edge, settings, soft
from uaps_jax.crf.refine import pairwise_terms
from uaps_jax.weak_supervision import response_scaling
from uaps_jax.weak_supervision.response_scaling import COCO_SCALES, VOC_SCALES

GREY = np.array([0.299, 0.587, 0.114])


def crf_of(strength):
    return settings(position_weight=3.0 * strength, bilateral_weight=4.0 * strength)


@functools.cache
def program(scales, form, classes, strength):
    """Jitted, of an image, probabilities and tags."""
    chosen = crf_of(strength)

    def run(image, probabilities, tags):
        terms = pairwise_terms(image, chosen) if strength else ()
        return response_scaling.scaled_responses(
            probabilities, tags, terms, iterations=chosen.iterations, scales=scales, form=form
        )

    return jax.jit(run)


def responses(
    probabilities, *, scales=VOC_SCALES, form="repaired", tags=None, image=None, strength=1.0
):
    classes = probabilities.shape[-1]
    tags = np.ones(classes, bool) if tags is None else np.asarray(tags)
    given = np.zeros((*probabilities.shape[:2], 1), np.uint8) if image is None else image
    crf = 0.0 if image is None else strength
    result = program(scales, form, classes, crf)(given, probabilities, tags)
    return np.asarray(result.mask), np.asarray(result.variance)


# specs: lowest and highest p of a variance of at least 9, 8, 5 of 36.
THRESHOLDS = {
    VOC_SCALES: ((0.2755, 0.7245), (0.2451, 0.7549), (0.2092, 0.7908)),
    COCO_SCALES: ((0.382, 0.618), (0.3177, 0.6823), (0.2755, 0.7245)),
}


@pytest.mark.parametrize("scales", THRESHOLDS, ids=["voc", "coco"])
def test_without_a_crf_it_is_a_threshold_of_the_probability(scales):
    p = np.arange(0, 1.0001, 0.0001).astype(np.float32)[None]
    _, variance = responses(np.stack([1 - p, p], -1), scales=scales)
    levels = np.round(36 * variance[0]).astype(int)
    assert set(levels) == {0, 5, 8, 9}
    np.testing.assert_allclose(36 * variance[0], levels, atol=1e-5)
    for (low, high), level in zip(THRESHOLDS[scales], (9, 8, 5), strict=True):
        inside = np.flatnonzero(levels >= level)  # in steps of 0.0001
        assert inside[0] - 1e4 * low == pytest.approx(0.5, abs=0.51)
        assert inside[-1] - 1e4 * high == pytest.approx(-0.5, abs=0.51)
        assert len(inside) == inside[-1] - inside[0] + 1  # without a gap


@pytest.mark.parametrize("crf", [False, True])
def test_released_equals_the_oracle(crf):
    probabilities, image = soft(alpha=0.3), edge()
    refine = functools.partial(weak_oracles.crf, image @ GREY, settings=crf_of(0.2))
    if not crf:
        refine = lambda p: -weak_oracles.energies(p)  # noqa: E731
    expected = weak_oracles.scaled_responses(probabilities, refine, VOC_SCALES)
    given = image if crf else None
    actual = responses(probabilities, form="released", image=given, strength=0.2)
    np.testing.assert_array_equal(actual[0], expected[0])
    np.testing.assert_allclose(actual[1], expected[1], atol=1e-6)
    assert len(np.unique(expected[1])) >= 3


def test_repaired_equals_the_oracle_and_knows_the_classes_of_the_image():
    probabilities, image = soft(alpha=0.3), edge()
    refine = functools.partial(weak_oracles.crf, image @ GREY, settings=crf_of(0.2))
    expected = weak_oracles.scaled_responses(probabilities, refine, VOC_SCALES, (0, 2))
    tags = [False, False, True]
    mask, variance = responses(probabilities, tags=tags, image=image, strength=0.2)
    np.testing.assert_array_equal(mask, expected[0])
    np.testing.assert_allclose(variance, expected[1], atol=1e-6)
    assert set(np.unique(mask)) == {0, 2}
    assert len(np.unique(expected[1])) >= 3


def two_regions(left, right):
    """A bright square in the middle of a dark image; p of class 1 on both, and around them 0.02."""
    image = np.full((12, 24, 1), 20, np.uint8)
    p = np.full((12, 24), 0.02, np.float32)
    for columns, value in ((slice(3, 9), left), (slice(15, 21), right)):
        image[3:9, columns] = 220
        p[3:9, columns] = value
    return image, np.stack([1 - p, p], -1)


def test_with_a_crf_a_region_flips_as_a_whole_where_the_image_contradicts():
    """Half of the left square is missed with confidence; without a CRF no pixel of it is unsure."""
    image, probabilities = two_regions(0.98, 0.98)
    probabilities[3:9, 3:6] = [0.85, 0.15]
    assert (responses(probabilities)[1] == 0).all()
    _, variance = responses(probabilities, image=image)
    assert (variance[3:9, 3:6] >= 0.2).all()
    assert (variance[:3] == 0).all()
    assert (variance[3:9, 16:20] < variance[3:9, 3:6].min()).all()


def test_a_class_that_the_crf_has_removed_is_examined_by_repaired_alone():
    image = np.full((8, 8, 1), 50, np.uint8)
    image[3:5, 3:5] = 150
    probabilities = np.full((8, 8, 2), 0.02, np.float32)
    probabilities[3:5, 3:5, 1] = 0.6
    probabilities[..., 0] = 1 - probabilities[..., 1]
    lost, unseen = responses(probabilities, form="released", image=image)
    assert (lost == 0).all()
    assert (unseen == 0).all()
    mask, variance = responses(probabilities, tags=[True, True], image=image)
    assert (mask == 0).all()
    assert variance[3:5, 3:5].min() > 0


def test_an_absent_class_has_no_uncertainty():
    probabilities = soft()
    mask, variance = responses(probabilities, tags=[False] * 3)
    assert (mask == 0).all()
    assert (variance == 0).all()


def test_stored_weights_are_those_of_the_released_code():
    variance = np.array([[0, 5, 8, 9]], np.float32) / 36
    for form in ("released", "repaired"):
        stored = response_scaling.stored_weights(variance, VOC_SCALES, form)
        assert stored.dtype == np.uint8
        assert stored.tolist() == [[255, 113, 28, 0]]
    # An image whose largest variance is small: all of it, or little.
    weak = variance[:, :2]
    assert response_scaling.stored_weights(weak, VOC_SCALES, "released").tolist() == [[255, 0]]
    assert response_scaling.stored_weights(weak, VOC_SCALES, "repaired").tolist() == [[255, 113]]
    even = np.zeros((1, 3), np.float32)
    for form in ("released", "repaired"):
        assert (response_scaling.stored_weights(even, VOC_SCALES, form) == 255).all()


def test_the_largest_variance_of_an_odd_number_of_scales_has_weight_0():
    variance = np.array([[0, 4, 6]], np.float32) / 25
    stored = response_scaling.stored_weights(variance, (0.2, 0.5, 2, 3, 5), "repaired")
    assert stored.tolist() == [[255, 85, 0]]


@pytest.mark.parametrize("scales", [(), (0.5,)])
def test_one_scale_has_no_variance(scales):
    message = "needs two or more scales, such as VOC_SCALES"
    with pytest.raises(ValueError, match=message):
        responses(soft(), scales=scales)
    for form in ("released", "repaired"):
        with pytest.raises(ValueError, match=message):
            response_scaling.stored_weights(np.zeros((2, 2), np.float32), scales, form)


def test_weights_of_the_loss_are_hard_or_soft():
    stored = np.array([255, 113, 28, 12, 0], np.uint8)
    hard = response_scaling.loss_weights(stored / 255, "hard", 0.05)
    np.testing.assert_allclose(hard, [1, 1, 1, 0.05, 0.05])
    soft_weights = response_scaling.loss_weights(stored / 255, "soft", 0.05)
    np.testing.assert_allclose(soft_weights, [1, 113 / 255, 28 / 255, 0.05, 0.05], rtol=1e-6)
