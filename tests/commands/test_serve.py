"""Requests to serve that cannot be met; `tests/serving` has those that can."""

from pathlib import Path

import pytest

from uaps_jax.commands.request import Request
from uaps_jax.commands.serve import serve
from uaps_jax.config import ConfigError


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (None, "--mode=serve needs --input=FILE.onnx, which --mode=export writes"),
        (Path("nowhere.onnx"), "nowhere.onnx: cannot be read: No such file"),
        (Path("."), "it is a folder, not a file"),
    ],
)
def test_what_cannot_be_served_is_a_sentence(given, reason):
    request = Request(config=None, workdir=Path(), checkpoint="best", input=given)
    with pytest.raises(ConfigError, match=reason):
        serve(request)
