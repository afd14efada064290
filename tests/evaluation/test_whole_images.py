"""Whole images are scored at their own size, from tiles in batches of one size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import tiny
from uaps_jax.commands import score_lines
from uaps_jax.data.whole_images import WholeImages
from uaps_jax.evaluation import binary, evaluate, metrics, whole_images
from uaps_jax.evaluation.image_score import ScoreRule

NAMES = ("background", "dark", "bright")


def by_brightness(variables, images):
    """Dark pixels are class 1, bright ones class 2."""
    grey = images.astype(jnp.float32).mean(-1) + variables
    return jax.nn.one_hot(jnp.where(grey < 60, 1, jnp.where(grey > 200, 2, 0)), 3)


RULE = ScoreRule(kind="area", top_pixels=1, pixel_threshold=0.5, minimum_area=0)


def images_of(sizes, **data):
    random = np.random.default_rng(0)
    loaded = {}
    for row, size in enumerate(sizes):
        coarse = random.integers(0, 256, (size[0] // 4 + 1, size[1] // 4 + 1, 1), np.uint8)
        pixels = coarse.repeat(4, 0).repeat(4, 1)[: size[0], : size[1]].repeat(3, 2)
        loaded[f"image_{row}"] = pixels, random.choice([0, 1, 2, 255], size).astype(np.uint8)
    config = tiny.config().data
    for name, value in ({"fit": "crop"} | data).items():
        setattr(config, name, value)
    return WholeImages(names=tuple(loaded), load=loaded.__getitem__, data=config)


def test_scores_are_those_of_each_pixel_of_images_of_any_size():
    images = images_of([(16, 16), (50, 33), (9, 70), (40, 16)])
    function = evaluate.make_measure_function(by_brightness, 3, RULE)
    measured = evaluate.measure(function, jnp.float32(0), images, 5)
    matrices = np.zeros((4, 3, 3), int)
    for matrix, name in zip(matrices, images.names, strict=True):
        pixels, truth = images.load(name)
        grey = pixels.mean(-1)
        predicted = np.where(grey < 60, 1, np.where(grey > 200, 2, 0))
        for t in range(3):
            for p in range(3):
                matrix[t, p] = ((truth == t) & (predicted == p)).sum()
    np.testing.assert_array_equal(measured.confusions, matrices)
    expected = metrics.scores(matrices, NAMES)
    actual = evaluate.evaluate(function, jnp.float32(0), images, NAMES, 5)
    assert {name: actual[name] for name in expected} == pytest.approx(expected, nan_ok=True)
    marked = matrices[:, :, 1:].sum((1, 2))  # pixels of label 255 are in no matrix
    np.testing.assert_array_equal(measured.image_scores, marked)
    assert function.probabilities._cache_size() == 1  # batches of one shape


def test_one_class_of_defects_is_scored_with_a_tolerance_at_the_size_of_the_images():
    def dark(variables, images):
        grey = images.astype(jnp.float32).mean(-1) + variables
        return jax.nn.one_hot((grey < 60).astype(jnp.int32), 2)

    given = images_of([(50, 33), (9, 70)])
    loaded = {n: (given.load(n)[0], np.minimum(given.load(n)[1], 1)) for n in given.names}
    images = WholeImages(names=given.names, load=loaded.__getitem__, data=given.data)
    function = evaluate.make_measure_function(dark, 2, RULE)
    found = evaluate.measure(function, jnp.float32(0), images, 5).near_counts
    expected = [
        binary.near_counts(truth == 1, pixels.mean(-1) < 60, truth != 255)
        for pixels, truth in map(loaded.__getitem__, images.names)
    ]
    np.testing.assert_array_equal(found, expected)
    scores = evaluate.evaluate(function, jnp.float32(0), images, NAMES[:2], 5)
    assert {*binary.NAMES} < scores.keys()
    lines = "\n".join(score_lines.of_pixels(scores, np.zeros((2, 2, 2), int)))
    for name in binary.NAMES:
        assert f"{name:32s} {scores[name]:6.2f}" in lines


def test_at_a_scale_results_are_of_the_size_of_the_image():
    images = images_of([(80, 40)], scale=0.25)
    (one,) = whole_images.predicted(by_brightness, jnp.float32(0), images, images.names, 4)
    pixels, truth = images.load("image_0")
    grey = pixels.mean(-1)  # blocks of 4 x 4 equal pixels, one of which is kept
    expected = np.where(grey < 60, 1, np.where(grey > 200, 2, 0))
    np.testing.assert_array_equal(one.mask, expected)
    np.testing.assert_array_equal(one.truth, truth)
    np.testing.assert_array_equal(one.pixels, pixels)
