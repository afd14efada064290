"""Decisions in a work directory: written, read, of another checkpoint, damaged."""

import pytest

from tests.inference.exports import decided
from tests.tiny import SCORE
from uaps_jax.training import checkpoints, decisions


@pytest.fixture
def fingerprint(monkeypatch):
    """Sets the checksum of the checkpoint."""

    def set_to(value):
        monkeypatch.setattr(checkpoints, "fingerprint", lambda workdir, step: value)

    set_to(5)
    return set_to


def test_a_decision_is_kept_for_its_step_and_predictor(tmp_path, fingerprint):
    decision = decided(SCORE)
    file = decisions.write(tmp_path, 7, "main", decision)
    assert file == tmp_path / "decisions" / "step_7_main.json"
    assert decisions.read(tmp_path, 7, "main") == decision
    assert decisions.read(tmp_path, 8, "main") is None
    assert decisions.read(tmp_path, 7, "ensemble") is None
    decisions.remove(tmp_path, 7, "main")
    decisions.remove(tmp_path, 7, "main")
    assert decisions.read(tmp_path, 7, "main") is None


def test_that_of_another_checkpoint_of_the_step_is_not_used(tmp_path, fingerprint, caplog):
    decisions.write(tmp_path, 7, "main", decided(SCORE))
    fingerprint(6)
    assert decisions.read(tmp_path, 7, "main") is None
    assert "set for another checkpoint of step 7" in caplog.text


@pytest.mark.parametrize("text", ["", "[]", '{"checkpoint": 5}', "{"])
def test_a_damaged_file_is_a_sentence(tmp_path, fingerprint, text):
    file = decisions.write(tmp_path, 7, "main", decided(SCORE))
    file.write_text(text)
    with pytest.raises(checkpoints.CheckpointError, match=r"step_7_main.*--mode=evaluate writes"):
        decisions.read(tmp_path, 7, "main")
