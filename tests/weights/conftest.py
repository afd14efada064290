"""Shared fixtures."""

import pytest

from uaps_jax import weights
from uaps_jax.weights import WeightsError


@pytest.fixture
def message(tmp_path):
    """The message of the error that reading some bytes raises, without the file's name."""

    def of(content):
        path = tmp_path / "weights.pth"
        path.write_bytes(content)
        with pytest.raises(WeightsError) as caught:
            weights.read(path)
        before, _, text = str(caught.value).partition(": ")
        assert before == str(path)
        assert "\n" not in text
        return text

    return of
