"""The CRF against a brute-force one in numpy, in every form."""

import jax
import numpy as np
import pytest

from tests import weak_oracles
from tests.crf.settings import edge, settings, soft
from uaps_jax.crf import grid, pairs, window
from uaps_jax.crf.refine import refine

GREY = np.array([0.299, 0.587, 0.114])


def refined(image, probabilities, chosen):
    return np.asarray(jax.jit(lambda i, p: refine(i, p, chosen))(image, probabilities))


@pytest.mark.parametrize("guide", ["grey", "colour"])
def test_marginals_equal_those_of_brute_force(guide):
    image, probabilities, chosen = edge(19), soft(19), settings(guide=guide)
    values = image @ GREY if guide == "grey" else image
    expected = weak_oracles.crf(values, probabilities, chosen)
    assert np.abs(expected - probabilities).max() > 0.3
    actual = refined(image, probabilities, chosen)
    assert np.abs(actual - expected).max() <= 1e-5
    np.testing.assert_allclose(actual.sum(-1), 1, atol=1e-6)


def test_pairs_that_are_not_held_give_the_same(monkeypatch):
    monkeypatch.setattr(pairs, "MATRIX_PIXELS", 50)
    monkeypatch.setattr(pairs, "BLOCK_PAIRS", 990)  # 99 pixels, 10 at a time
    image, probabilities, chosen = edge(), soft(), settings(guide="colour")
    expected = weak_oracles.crf(image, probabilities, chosen)
    assert np.abs(refined(image, probabilities, chosen) - expected).max() <= 1e-5


def test_a_window_over_the_whole_image_leaves_nothing_out():
    # Two sigmas are 9 pixels on each side of 9: every pixel is a neighbour, once.
    chosen = settings(guide="colour", form="window", window=19, bilateral_sigma=0.5)
    image, probabilities = edge(9, 9), soft(9, 9)
    expected = weak_oracles.crf(image, probabilities, chosen)
    assert np.abs(refined(image, probabilities, chosen) - expected).max() <= 1e-5


def test_a_window_of_distant_neighbours_equals_a_sum_over_them():
    guide = edge(10, 8)
    kernel = window.windowed_kernel(guide, 2.5, 30.0, 3)  # two sigmas: 5 pixels to each side
    values = soft(10, 8, 2)
    expected = np.zeros(values.shape)
    for y, x in np.ndindex(10, 8):
        for down, right in np.ndindex(3, 3):
            j, i = y + 5 * (down - 1), x + 5 * (right - 1)
            if 0 <= j < 10 and 0 <= i < 8:
                colours = (guide[y, x].astype(float) - guide[j, i]) / 30
                place = np.array([y - j, x - i]) / 2.5
                k = np.exp(-((colours**2).sum() + (place**2).sum()) / 2)
                expected[y, x] += k * values[j, i]
    np.testing.assert_allclose(kernel.apply(values), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("form", "guide"), [("full", "grey"), ("full", "colour"), ("window", "colour")]
)
def test_a_photograph_needs_a_few_times_its_own_memory(form, guide):
    """Compiled, not run: the 225 kernels of a window alone would be 900 bytes for each pixel."""
    chosen = settings(form=form, guide=guide, window=15, level_sigma=10.0, bilateral_sigma=0.134)
    size = (600, 800)
    image, p = (jax.ShapeDtypeStruct((*size, n), np.float32) for n in (3, 4))
    program = jax.jit(lambda i, p: refine(i, p, chosen)).lower(image, p).compile()
    needed = program.memory_analysis().temp_size_in_bytes
    assert needed <= 250 * size[0] * size[1]


def test_a_weak_region_follows_the_edge_of_the_image():
    image = np.zeros((12, 12, 1), np.uint8)
    image[:, 6:] = 200
    probabilities = np.zeros((12, 12, 2), np.float32)
    probabilities[..., 1] = np.where(np.arange(12) < 4, 0.1, 0.9)  # two columns too wide
    probabilities[:, 4:6, 1] = 0.6
    probabilities[..., 0] = 1 - probabilities[..., 1]
    labels = refined(image, probabilities, settings()).argmax(-1)
    np.testing.assert_array_equal(labels, np.broadcast_to(np.arange(12) >= 6, (12, 12)))


@pytest.mark.parametrize(("sigma", "largest"), [(3.0, 255), (34.0, 255), (1.5, 7)])
def test_a_gaussian_is_the_product_of_its_factors(sigma, largest):
    values = np.linspace(0, largest, 101)
    factor = np.asarray(grid.gaussian_factor(values.astype(np.float32), sigma, largest))
    expected = np.exp(-((values[:, None] - values[None]) ** 2) / (2 * sigma**2))
    product = factor.astype(float) @ factor.T.astype(float)
    assert (factor >= 0).all()
    np.testing.assert_allclose(product, expected, rtol=1e-5, atol=1e-7)
