"""The command around the server of the review page."""

import shutil

import pytest

from tests.review import folders
from uaps_jax.annotation_queue import entry
from uaps_jax.commands.request import Request
from uaps_jax.commands.review import review
from uaps_jax.config import ConfigError
from uaps_jax.review import server
from uaps_jax.review.decisions import Decisions


def request(folder):
    return Request(config=None, workdir=folder, checkpoint="best", input=folder)


def test_a_queue_is_served_by_one_process(tmp_path, monkeypatch, caplog):
    folders.write(tmp_path)

    def serve(decisions):
        with pytest.raises(ConfigError, match="in use by another process"):
            review(request(tmp_path))
        decisions.change(1, "accept", 0, None)
        decisions.change(2, "mark", 0, None)

    monkeypatch.setattr(server, "serve", serve)
    caplog.set_level("INFO", logger="absl")
    review(request(tmp_path))
    assert "4 images: 1 accepted, 1 to correct, 2 undecided" in caplog.text
    assert f"to train on: {tmp_path / 'annotated'}" in caplog.text


def test_files_that_are_gone_are_said_in_a_sentence(tmp_path):
    folders.write(tmp_path)
    Decisions(entry.read(tmp_path)).change(1, "accept", 0, None)
    shutil.rmtree(tmp_path / "annotated")
    (tmp_path / "images" / "part_01.png").unlink()
    with pytest.raises(ConfigError, match=r"cannot be made of the decisions: .*part_01.png"):
        review(request(tmp_path))


def test_what_is_no_queue_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"has no queue.jsonl"):
        review(request(tmp_path))
    assert not list(tmp_path.iterdir())
