"""Paths as people give them."""

from __future__ import annotations

from pathlib import Path

from uaps_jax.config import ConfigError, DataConfig

DOWNLOADS = "downloads"
"""Where raw data are looked for without data.manual_dir, in the working directory."""


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


def raw_folder(data: DataConfig) -> Path:
    """The folder of the raw data: `data.manual_dir`, or `DOWNLOADS` where that is empty.

    Raises:
      ConfigError: it begins with ~ and a user who has no home here.
    """
    return expanded(data.manual_dir or DOWNLOADS, "data.manual_dir").resolve()
