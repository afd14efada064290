"""The checkpoints that a flag selects."""

import pytest

from uaps_jax.training import checkpoints
from uaps_jax.training.checkpoints import CheckpointError


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints.files, "saved_steps", lambda workdir: [5, 10, 20])
    return tmp_path


def test_steps_and_ranges(workdir):
    assert checkpoints.find_step(workdir, "10") == 10
    assert checkpoints.find_step(workdir, "latest") == 20
    assert checkpoints.find_steps(workdir, "6-20") == [10, 20]
    assert checkpoints.find_steps(workdir, "6-") == [10, 20]


@pytest.mark.parametrize("which", ["²", "5²", "7", "", "1" * 5000, "²-", "5-²", "1" * 5000 + "-"])
def test_an_invalid_step_is_reported(which, workdir):
    with pytest.raises(CheckpointError, match="5, 10, 20"):
        checkpoints.find_steps(workdir, which)
