"""Test-time augmentation: the mean of warped-back probabilities."""

import jax.numpy as jnp
import numpy as np
import pytest

from uaps_jax.inference.augmented import augmented, scaled_side


def resized(x, height, width):
    """Bilinear with aligned corners, pixel by pixel: `[h, w, C]` to `[height, width, C]`."""
    out = np.zeros((height, width, x.shape[2]))
    for i in range(height):
        for j in range(width):
            y, z = i * (x.shape[0] - 1) / (height - 1), j * (x.shape[1] - 1) / (width - 1)
            top, left = int(y), int(z)
            for row, share_y in ((top, 1 - (y - top)), (min(top + 1, len(x) - 1), y - top)):
                for column, share_z in (
                    (left, 1 - (z - left)),
                    (min(left + 1, x.shape[1] - 1), z - left),
                ):
                    out[i, j] += share_y * share_z * x[row, column]
    return out


def two_classes(image):
    """Probabilities that depend on the position and on the image, neither of them linearly."""
    height, width = image.shape[:2]
    place = np.arange(height)[:, None] * 0.3 - np.arange(width)[None] * 0.1
    p = 1 / (1 + np.exp(-((place + image[..., 0] / 100) ** 2) + 1))
    return np.stack([p, 1 - p], axis=-1)


def test_it_is_the_mean_of_the_warped_back_probabilities():
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 12, 3), np.uint8)
    seen = []

    def predict(variables, batch):
        assert variables == "variables"
        seen.append(batch.shape[1:3])
        found = [two_classes(np.asarray(image, np.float64)) for image in batch]
        return jnp.asarray(found, jnp.float32)

    found = augmented(predict, (0.5, 1.0, 1.5), flip=True, stride=4)("variables", images)
    assert seen == [(4, 8), (4, 8), (8, 12), (8, 12), (12, 16), (12, 16)]
    for row, image in enumerate(images.astype(np.float64)):
        expected = []
        for size in ((4, 8), (8, 12), (12, 16)):
            scaled = resized(image, *size)
            expected.append(resized(two_classes(scaled), 8, 12))
            expected.append(resized(two_classes(scaled[:, ::-1])[:, ::-1], 8, 12))
        np.testing.assert_allclose(found[row], np.mean(expected, axis=0), atol=1e-4)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-6)
    plain = augmented(predict, (1.0,), flip=False, stride=4)("variables", images)
    np.testing.assert_allclose(plain, predict("variables", images), atol=1e-6)


@pytest.mark.parametrize(
    ("pixels", "scale", "expected"), [(64, 0.5, 32), (224, 0.75, 160), (64, 0.1, 16), (50, 1, 50)]
)
def test_sides_are_multiples_of_the_stride(pixels, scale, expected):
    assert scaled_side(pixels, scale, 16 if pixels < 100 else 32) == expected
