"""Fixtures of the tests of the commands."""

import pytest

from tests.commands import mine


@pytest.fixture
def root(tmp_path):
    mine.write_folder(tmp_path / "mine")
    return tmp_path / "mine"
