"""Messages of the package are shown where it is installed; those of libraries are not."""

import logging
from pathlib import Path

import pytest

from uaps_jax.command_line import library_logs


@pytest.mark.parametrize(
    ("place", "level", "shown"),
    [
        ("uaps_jax/training/loop.py", logging.INFO, True),
        ("orbax/checkpoint/save.py", logging.INFO, False),
        ("orbax/checkpoint/save.py", logging.WARNING, True),
        ("uaps_jax_of_another/a.py", logging.INFO, False),
    ],
)
def test_what_an_installed_package_logs_is_shown(place, level, shown, monkeypatch):
    site = Path("/venv/lib/python3.11/site-packages")
    monkeypatch.setattr(library_logs, "PACKAGE", site / "uaps_jax")
    record = logging.LogRecord("absl", level, str(site / place), 1, "text", (), None)
    assert library_logs.is_for_user(record) == shown
