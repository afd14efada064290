"""Masks with a user's values are read back as the class ids that they were made of."""

import numpy as np
import pytest

from uaps_jax.datasets.folder import class_map, encode


@pytest.mark.parametrize(
    "entries",
    [
        ("background=0", "scratch=1", "dent=2"),
        ("background=0", "scratch=255,254", "dent=128", "ignore=7"),
        ("background=0", "scratch=300", "dent=65535"),
        ("background=#000000", "scratch=#ff0000", "dent=#00ff01", "ignore=#808080"),
    ],
)
def test_what_is_written_is_read_again(entries):
    classes = class_map.from_settings(entries)
    ids = np.random.default_rng(0).choice([0, 1, 2, 255], (9, 11)).astype(np.uint8)
    read = class_map.decode_mask(encode.encoded(ids, classes), classes)
    has_ignore = any(entry.startswith("ignore") for entry in entries)
    np.testing.assert_array_equal(read, ids if has_ignore else np.where(ids == 255, 0, ids))
