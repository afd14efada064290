"""The command around the server of the review page."""

import pytest

from tests.review import folders
from uaps_jax.commands.request import Request
from uaps_jax.commands.review import review
from uaps_jax.config import ConfigError
from uaps_jax.review import server


def request(folder):
    return Request(config=None, workdir=folder, checkpoint="best", input=folder)


def test_a_queue_is_served_by_one_process(tmp_path, monkeypatch, caplog):
    folders.write(tmp_path)
    (tmp_path / "annotated" / "masks").mkdir(parents=True)
    left = tmp_path / "annotated" / "masks" / "part_01.png"
    left.write_bytes(b"of an image that is not decided")

    def serve(decisions):
        assert not left.exists()
        with pytest.raises(ConfigError, match="in use by another process"):
            review(request(tmp_path))
        decisions.change(1, "accept", 0, None)
        decisions.change(2, "mark", 0, None)

    monkeypatch.setattr(server, "serve", serve)
    caplog.set_level("INFO")
    review(request(tmp_path))
    assert "4 images: 1 accepted, 1 to correct, 2 undecided" in caplog.text
    assert f"to train on: {tmp_path / 'annotated'}" in caplog.text


def test_what_is_no_queue_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"has no queue.jsonl"):
        review(request(tmp_path))
    assert not list(tmp_path.iterdir())
