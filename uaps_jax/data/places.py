"""Paths as people give them."""

from __future__ import annotations

from pathlib import Path

from uaps_jax.config import ConfigError


def expanded(path: str, setting: str) -> Path:
    """A path without ~.

    Args:
      path: the value of a setting.
      setting: its name, for the error.

    Raises:
      ConfigError: it begins with ~ and a user who has no home here.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{setting} = {path!r}: {error}; write the whole path") from error
