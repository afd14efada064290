"""Statistics of images do not depend on the number of threads."""

import hashlib

import numpy as np

from uaps_jax.data import survey
from uaps_jax.datasets import pieces


def test_a_histogram_counts_every_pixel_of_every_channel(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE", 11)
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    counts = np.array([(image == value).sum() for value in range(256)], np.int64)
    expected = hashlib.blake2b(b"[7, 9]" + counts.tobytes(), digest_size=16).hexdigest()
    assert survey.histogram_digest(image) == expected
    assert survey.histogram_digest(np.rot90(image)) == expected
    assert survey.histogram_digest(image[:-1]) != expected
