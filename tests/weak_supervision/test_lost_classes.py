"""Lost classes are restored from the rough mask, by hand."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from uaps_jax.weak_supervision.lost_classes import restored

ROUGH = np.array([[1, 1, 1, 1, 2, 2, 0, 255]])
ALL = (True, True, True, True)


@pytest.mark.parametrize(
    ("mask", "classes", "share", "expected", "lost"),
    [
        # Class 1 has one pixel of four, which is not less than a quarter; class 2 has none.
        ([1, 0, 0, 0, 0, 0, 3, 0], ALL, 0.25, [1, 0, 0, 0, 2, 2, 3, 0], [2]),
        ([1, 0, 0, 0, 0, 0, 3, 0], ALL, 0.3, [1, 1, 1, 1, 2, 2, 3, 0], [1, 2]),
        ([0, 0, 0, 0, 0, 0, 0, 0], ALL, 0.0, [0, 0, 0, 0, 0, 0, 0, 0], []),
        # The image does not have class 1, whatever its rough mask says.
        ([0, 0, 0, 0, 0, 0, 0, 0], (True, False, True), 0.5, [0, 0, 0, 0, 2, 2, 0, 0], [2]),
        # Class 2 is where class 1 is restored, and is restored in turn.
        ([2, 2, 0, 0, 0, 0, 0, 0], ALL, 1.0, [1, 1, 1, 1, 2, 2, 0, 0], [1, 2]),
    ],
)
def test_a_class_with_next_to_nothing_left_gets_its_rough_mask(
    mask, classes, share, expected, lost
):
    given = np.array([mask])
    found, changed = restored(given, ROUGH, np.array(classes), share)
    assert_array_equal(found, [expected])
    assert_array_equal(given, [mask])
    assert_array_equal(changed, np.isin(ROUGH, lost))
