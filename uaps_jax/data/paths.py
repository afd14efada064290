"""Paths in settings: `~`, and the default folder of the raw data."""

from __future__ import annotations

from pathlib import Path

from uaps_jax.config import ConfigError, DataConfig

DEFAULT_RAW_FOLDER = "downloads"
"""The folder of the raw data if `data.manual_dir` is empty, relative to the working directory."""


def expanded(path: str, setting: str) -> Path:
    """A path whose leading `~` or `~user` is replaced by the home folder.

    Args:
      path: the value of a setting.
      setting: its key, for the error message.

    Raises:
      ConfigError: the user of `~user` does not exist, or has no home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{setting} = {path!r}: {error}; write the whole path") from error


def raw_folder(data: DataConfig) -> Path:
    """The folder of the raw data: `data.manual_dir`, or `DEFAULT_RAW_FOLDER` if that is empty.

    Raises:
      ConfigError: it begins with `~user`, and this user does not exist or has no home folder.
    """
    return expanded(data.manual_dir or DEFAULT_RAW_FOLDER, "data.manual_dir").resolve()
