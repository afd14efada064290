"""Lost classes are restored from the rough mask, by hand."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from uaps_jax.weak_supervision.lost_classes import restored

ROUGH = np.array([[1, 1, 1, 1, 2, 2, 0, 255]])


@pytest.mark.parametrize(
    ("mask", "share", "expected"),
    [
        # Class 1 has one pixel of four, which is not less than a quarter; class 2 has none.
        ([1, 0, 0, 0, 0, 0, 3, 0], 0.25, [1, 0, 0, 0, 2, 2, 3, 0]),
        ([1, 0, 0, 0, 0, 0, 3, 0], 0.3, [1, 1, 1, 1, 2, 2, 3, 0]),
        ([0, 0, 0, 0, 0, 0, 0, 0], 0.0, [0, 0, 0, 0, 0, 0, 0, 0]),
        # Elsewhere in the image it is no lost class; what is restored covers other classes.
        ([2, 2, 0, 0, 0, 0, 0, 0], 1.0, [1, 1, 1, 1, 0, 0, 0, 0]),
    ],
)
def test_a_class_with_next_to_nothing_left_gets_its_rough_mask(mask, share, expected):
    given = np.array([mask])
    found, changed = restored(given, ROUGH, share)
    assert_array_equal(found, [expected])
    assert_array_equal(given, [mask])
    differs = np.array([expected]) != given
    assert changed[differs].all()
    assert set(np.unique(found[changed])) <= {1, 2}
    lost = [c for c in (1, 2) if c in np.array(expected)[differs[0]]]
    assert_array_equal(changed, np.isin(ROUGH, lost))
