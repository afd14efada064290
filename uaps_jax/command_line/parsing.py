"""Reads the flags; what is wrong with them is said in a sentence."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from uaps_jax import configuration_files
from uaps_jax.config import Config, ConfigError, check_key
from uaps_jax.study.grid import Grid

OF_FLAGS = (ValueError, LookupError, AttributeError, TypeError, OSError, flags.Error)
"""What absl and ml_collections raise where a flag is wrong."""


def parse(argv: Sequence[str], config: flags.FlagHolder) -> list[str]:
    """Parses the flags, and returns the arguments that are none.

    Exits with a sentence where a flag, the configuration file or an override is wrong; for an
    unknown setting it names the nearest one.

    Args:
      argv: the command line, with the name of the program in front.
      config: the flag of the configuration.
    """
    if last_value(argv, "mode") == "study":
        sys.exit("error: --mode=study: leave it out; the --config of a study runs the study")
    argv = with_found_files(argv, config.name)
    file = last_value(argv, config.name)
    if file is not None:
        _check_file(file)
    try:
        rest: list[str] = flags.FLAGS(argv)
    except Exception as error:
        # ml_collections puts a traceback in front of what a configuration file raises.
        before, raised, reason = str(error).rpartition("ConfigError: ")
        if not raised and file is not None:
            _explain_error_of_file(error, file)
            _explain_override(argv, file)
        if not isinstance(error, OF_FLAGS):
            raise
        sys.exit(f"error: {(reason if raised else before + reason).strip()}")
    if file is not None and not isinstance(config.value, Config | Grid):
        sys.exit(f"error: --config={file}: has no get_config() that returns a Config or a Grid")
    return rest


def last_value(argv: Sequence[str], flag: str) -> str | None:
    """What the last `--flag=VALUE` or `--flag VALUE` of a command line gives; None without one."""
    value = None
    for position, argument in enumerate(argv):
        name, equals, behind = argument.lstrip("-").partition("=")
        if name == flag and argument.startswith("-"):
            value = behind if equals else next(iter(argv[position + 1 :]), "")
    return value


def with_found_files(argv: Sequence[str], flag: str) -> list[str]:
    """The command line with the files that `configuration_files.find` gives for `--flag=FILE`."""
    result = list(argv)
    for position, argument in enumerate(argv):
        name, equals, file = argument.partition("=")
        if name not in (f"-{flag}", f"--{flag}"):
            continue
        if equals:
            result[position] = f"{name}={configuration_files.find(file)}"
        elif position + 1 < len(argv):
            result[position + 1] = configuration_files.find(argv[position + 1])
    return result


def _check_file(file: str) -> None:
    """Exits if a configuration file is not there, or is not a Python file."""
    path = Path(file.partition(":")[0])
    if not configuration_files.exists(path):
        known = ", ".join(configuration_files.packaged_names())
        sys.exit(
            f"error: --config={file}: there is no such file; there are {known}; and "
            "configs/train.py:dataset=NAME,method=NAME for any method on any dataset"
        )
    if path.suffix != ".py":
        sys.exit(
            f"error: --config={file}: is not a Python file; give one with a function get_config(), "
            "such as configs/neu_uaps.py"
        )


def _explain_error_of_file(error: BaseException, file: str) -> None:
    """Exits with what a configuration file raised, and on which line, if it was the file."""
    path = file.partition(":")[0]
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SyntaxError):  # which names file and line
            sys.exit(f"error: --config={file}: SyntaxError: {cause}")
        lines = [f.lineno for f in traceback.extract_tb(cause.__traceback__) if f.filename == path]
        if lines:
            kind = type(cause).__name__
            sys.exit(f"error: --config={file}: {kind} in line {lines[-1]}: {cause}")
        cause = cause.__cause__ or cause.__context__


def _explain_override(argv: Sequence[str], file: str) -> None:
    """Exits with the nearest setting if one of the overrides does not exist."""
    values = flags.FlagValues()
    try:
        shape = config_flags.DEFINE_config_file("shape", file, "", flag_values=values)
        values([argv[0]])
    except Exception:  # the file is no configuration, which is said by the error before
        return
    for argument in argv[1:]:
        name = argument.lstrip("-").split("=", 1)[0].removeprefix("no")
        if name.startswith("config.") and isinstance(shape.value, Config):
            try:
                check_key(shape.value, name.removeprefix("config."))
            except ConfigError as problem:
                sys.exit(f"error: {problem}")
