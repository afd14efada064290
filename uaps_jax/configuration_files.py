"""Configuration files, read as `--config` reads them."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from uaps_jax import config as config_lib
from uaps_jax import modules
from uaps_jax.config import Config, ConfigError

PACKAGE = Path(__file__).resolve().parent
FOLDER = "configs"


def find(file: str) -> str:
    """The configuration file that is meant, with its argument behind a colon if there is one.

    `configs/NAME.py` that is not in the working directory is the package's own file of that name.
    """
    path, colon, argument = file.partition(":")
    packaged = PACKAGE / path
    if exists(path) or Path(path).parts[:1] != (FOLDER,) or not exists(packaged):
        return file
    return f"{packaged}{colon}{argument}"


def exists(path: str | Path) -> bool:
    """Whether there is a file of this name, which may be no possible name of a file."""
    try:
        return Path(path).is_file()
    except ValueError:  # a character that no name of a file has
        return False


def packaged_names() -> list[str]:
    """The package's own configurations of one training, as `find` takes them."""
    return sorted(f"{FOLDER}/{file.name}" for file in (PACKAGE / FOLDER).glob("[!_]*_*.py"))


def load_config(file: str, overrides: Mapping[str, Any] | None = None) -> Config:
    """The configuration of a file, as `--config` and its overrides give it.

    A file is run once in a process, so that a method that it registers stays the same.

    Example:
      config = load_config("configs/neu_uaps.py:small", {"data.manual_dir": "downloads"})

    Args:
      file: path, with the argument of its `get_config` behind a colon if there is one. Where there
        is no such file in the working directory, `configs/NAME.py` is the package's own.
      overrides: values of settings, by dotted key.

    Raises:
      ConfigError: the file is not there, cannot be run, or has no configuration of a training; or
        a setting does not exist.
    """
    path, colon, argument = find(file).partition(":")
    module = _module(Path(path).resolve())
    if not callable(getattr(module, "get_config", None)):
        raise ConfigError(f"{path} has no get_config()")
    try:
        config = module.get_config(*([argument] if colon else []))
    except ConfigError:
        raise
    except Exception as error:  # whatever somebody's file raises
        raise ConfigError(f"{file}: get_config: {type(error).__name__}: {error}") from error
    if not isinstance(config, Config):
        raise ConfigError(f"{file}: get_config returns no configuration of a training")
    config = copy.deepcopy(config)  # a file may return the same object every time
    override(config, overrides or {})
    return config


def override(config: Config, values: Mapping[str, Any]) -> None:
    """Sets settings by dotted key.

    Raises:
      ConfigError: one does not exist; the text names the nearest.
    """
    for key, value in values.items():
        config_lib.check_key(config, key)
        config_lib.assign(config, key, value)


@functools.cache
def _module(file: Path) -> ModuleType:
    """The module of a file, named after its place so that no other one takes its name."""
    if not file.is_file():
        raise ConfigError(f"{file} does not exist")
    name = "uaps_jax_configuration_" + "".join(c if c.isalnum() else "_" for c in str(file))
    try:
        return modules.run_file(file, name)
    except Exception as error:  # whatever somebody's file raises
        raise ConfigError(f"{file} cannot be run: {type(error).__name__}: {error}") from error
