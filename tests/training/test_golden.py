"""Stored checkpoints of every format are read by this version."""

import json
import shutil

import numpy as np
import pytest

from tests import tiny
from tests.golden import make
from uaps_jax.training import checkpoints, loop

FORMATS = sorted(make.FOLDER.glob("format_*"))


def test_the_format_of_this_version_is_written_down():
    assert f"format_{checkpoints.FORMAT}" in {folder.name for folder in FORMATS}


# As format 2, but without `written_by`; at first, without checksums.
OLDER = ("format_1", "format_1 with checksums")


@pytest.fixture(params=[*FORMATS, *OLDER], ids=lambda folder: getattr(folder, "name", folder))
def written(request, tmp_path):
    """A copy of a work directory of a format, and what is expected of it."""
    older = request.param in OLDER
    folder = make.FOLDER / "format_2" if older else request.param
    shutil.copytree(folder, tmp_path / "run")
    place = tmp_path / "run" / "checkpoints" / "2"
    if older:
        shutil.rmtree(place / "written_by")
        known = json.loads((place / "digests" / "metadata").read_text())
        del known["written_by"]
        (place / "digests" / "metadata").write_text(json.dumps(known))
        if request.param == OLDER[0]:
            shutil.rmtree(place / "digests")
    return tmp_path / "run", json.loads((folder / "expected.json").read_text())


def test_checksums_that_are_gone_are_missed(tmp_path):
    shutil.copytree(make.FOLDER / "format_2", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "2" / "digests")
    with pytest.raises(checkpoints.CheckpointError, match="its checksums are missing"):
        checkpoints.verify(tmp_path / "run", 2)


def test_a_checkpoint_predicts_what_it_did(written):
    folder, expected = written
    checkpoints.verify(folder, 2)
    result = make.result(folder)
    assert result["record"] == expected["record"]
    half = pytest.approx(expected["scores"], abs=0.5, nan_ok=True)  # a pixel on the edge
    assert {name: result["scores"][name] for name in expected["scores"]} == half
    np.testing.assert_allclose(result["probabilities"], expected["probabilities"], atol=1e-4)


def test_a_run_resumes_from_it_to_the_same_numbers(written):
    folder, expected = written
    config = make.config_lib.validate(checkpoints.read_config(folder, 2))
    checkpoints.move_damaged(folder)
    state = loop.train(config, folder, tiny.pools(), tiny.CLASS_NAMES, tiny.record())
    assert int(state.step) == make.STEPS
    assert make.last_loss(folder) == pytest.approx(expected["last_loss"], rel=1e-3)
    assert checkpoints.saved_steps(folder) == [2, 3]
