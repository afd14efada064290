"""Fixtures of the tests of recipes."""

import pytest

from uaps_jax.commands import pictures, predictions
from uaps_jax.reports import figures


@pytest.fixture(scope="module", autouse=True)
def _no_pictures():
    """Trainings in this process end without pictures, which have tests of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predictions, "write_test", lambda *_: None)
        patch.setattr(pictures, "draw_contact_sheet", lambda *_: None)
        patch.setattr(figures, "curves", lambda *_: None)
        yield
