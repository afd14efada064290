"""Configuration files, loaded as by `--config`."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from uaps_jax import config as config_lib
from uaps_jax import modules
from uaps_jax.config import Config, ConfigError, Section

PACKAGE = Path(__file__).resolve().parent
FOLDER = "configs"


def find(file: str) -> str:
    """The path of a configuration file, followed by its argument after a colon if there is one.

    If `configs/NAME.py` does not exist in the working directory, it is the file in the package.
    """
    path, colon, argument = file.partition(":")
    packaged = PACKAGE / path
    if exists(path) or Path(path).parts[:1] != (FOLDER,) or not exists(packaged):
        return file
    return f"{packaged}{colon}{argument}"


def exists(path: str | Path) -> bool:
    """Whether a file exists; False for a name that no file can have."""
    try:
        return Path(path).is_file()
    except ValueError:  # a character that a file's name cannot have
        return False


def packaged_names() -> list[str]:
    """Configuration files of the package for one training, in the form for `find`."""
    return sorted(f"{FOLDER}/{file.name}" for file in (PACKAGE / FOLDER).glob("[!_]*_*.py"))


def load_section(file: str) -> Section:
    """What the `get_config` of a configuration file returns, such as a `Config` or a recipe.

    A file is run once per process, because it may register a method.

    Args:
      file: as for `load_config`.

    Raises:
      ConfigError: the file does not exist, cannot be run, or returns something else.
    """
    path, colon, argument = find(file).partition(":")
    module = _module(Path(path).resolve())
    if not callable(getattr(module, "get_config", None)):
        raise ConfigError(f"{path} has no function get_config()")
    try:
        config = module.get_config(*([argument] if colon else []))
    except ConfigError:
        raise
    except Exception as error:  # a user's file may raise any exception
        raise ConfigError(f"{file}: get_config: {type(error).__name__}: {error}") from error
    if not isinstance(config, Section):
        raise ConfigError(f"{file}: get_config must return a Config")
    return copy.deepcopy(config)  # a file may return the same object for each call


def load_config(file: str, overrides: Mapping[str, Any] | None = None) -> Config:
    """The configuration of a file with overrides, as by `--config`.

    Example:
      config = load_config("configs/neu_uaps.py:small", {"data.manual_dir": "downloads"})

    Args:
      file: path, optionally followed by a colon and the argument of its `get_config`. If
        `configs/NAME.py` does not exist in the working directory, it is the file in the package.
      overrides: dotted key -> value.

    Raises:
      ConfigError: the file does not exist, cannot be run, or does not return a `Config`; or a
        setting does not exist.
    """
    config = load_section(file)
    if not isinstance(config, Config):
        raise ConfigError(
            f"{file}: get_config must return a Config, and this is several trainings, a recipe or "
            "a study: load_config cannot read one; give it to --config"
        )
    override(config, overrides or {})
    return config


def override(config: Section, values: Mapping[str, Any]) -> None:
    """Sets settings by dotted key.

    Raises:
      ConfigError: a setting does not exist; the message names the nearest one.
    """
    for key, value in values.items():
        config_lib.check_key(config, key)
        config_lib.assign(config, key, value)


@functools.cache
def _module(file: Path) -> ModuleType:
    """The module of a file; its name contains the path, so that it is unique."""
    if not file.is_file():
        raise ConfigError(f"{file} does not exist")
    name = "uaps_jax_configuration_" + "".join(c if c.isalnum() else "_" for c in str(file))
    try:
        return modules.run_file(file, name)
    except Exception as error:  # a user's file may raise any exception
        raise ConfigError(f"{file} cannot be run: {type(error).__name__}: {error}") from error
