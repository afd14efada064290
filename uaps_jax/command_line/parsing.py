"""Parses the flags, with a message for each kind of mistake."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from uaps_jax import configuration_files
from uaps_jax.config import Config, ConfigError, check_key
from uaps_jax.recipes.stage import Recipe
from uaps_jax.study.kind import Study

FLAG_ERRORS = (ValueError, LookupError, AttributeError, TypeError, OSError, flags.Error)
"""Exceptions of absl and ml_collections for a wrong flag."""


def parse(argv: Sequence[str], config: flags.FlagHolder) -> list[str]:
    """Parses the flags and returns the other arguments.

    Exits with a message if a flag, the configuration file or an override is wrong; for an unknown
    setting, the message names the nearest one.

    Args:
      argv: the command line, beginning with the name of the program.
      config: the flag of the configuration.
    """
    if last_value(argv, "mode") == "study":
        sys.exit(
            "error: --mode=study does not exist: give --config=FILE of the study, without --mode"
        )
    argv = with_found_files(argv, config.name)
    file = last_value(argv, config.name)
    if file is not None:
        _check_file(file)
    try:
        rest: list[str] = flags.FLAGS(argv)
    except Exception as error:
        # ml_collections puts a traceback before the message of a configuration file's exception.
        before, raised, reason = str(error).rpartition("ConfigError: ")
        if not raised and file is not None:
            _explain_error_of_file(error, file)
            _explain_override(argv, file)
        if not isinstance(error, FLAG_ERRORS):
            raise
        sys.exit(f"error: {(reason if raised else before + reason).strip()}")
    if file is not None and not isinstance(config.value, Config | Recipe | Study):
        sys.exit(
            f"error: --config={file}: must have a function get_config() that returns a Config, a "
            "Recipe or a study"
        )
    return rest


def last_value(argv: Sequence[str], flag: str) -> str | None:
    """The value of the last `--flag=VALUE` or `--flag VALUE` in a command line; None if absent."""
    value = None
    for position, argument in enumerate(argv):
        name, equals, after = argument.lstrip("-").partition("=")
        if name == flag and argument.startswith("-"):
            value = after if equals else next(iter(argv[position + 1 :]), "")
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
    """Exits if a configuration file does not exist or is not a Python file."""
    path = Path(file.partition(":")[0])
    if not configuration_files.exists(path):
        known = ", ".join(configuration_files.packaged_names())
        sys.exit(
            f"error: --config={file}: the file does not exist; published configurations: {known}; "
            "any method on any dataset: configs/train.py:dataset=NAME,method=NAME"
        )
    if path.suffix != ".py":
        sys.exit(
            f"error: --config={file}: is not a Python file; give one with a function get_config(), "
            "such as configs/neu_uaps.py"
        )


def _explain_error_of_file(error: BaseException, file: str) -> None:
    """If the configuration file raised the error, exits with its message and its line."""
    path = file.partition(":")[0]
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SyntaxError):  # its message has file and line
            sys.exit(f"error: --config={file}: SyntaxError: {cause}")
        lines = [f.lineno for f in traceback.extract_tb(cause.__traceback__) if f.filename == path]
        if lines:
            kind = type(cause).__name__
            sys.exit(f"error: --config={file}: {kind} in line {lines[-1]}: {cause}")
        cause = cause.__cause__ or cause.__context__


def _explain_override(argv: Sequence[str], file: str) -> None:
    """If an override is of an unknown setting, exits with a message that names the nearest one."""
    values = flags.FlagValues()
    try:
        plain = config_flags.DEFINE_config_file("plain", file, "", flag_values=values)
        values([argv[0]])
    except Exception:  # the error of the file is reported by the caller
        return
    for argument in argv[1:]:
        name = argument.lstrip("-").split("=", 1)[0].removeprefix("no")
        if name.startswith("config.") and isinstance(plain.value, Config | Recipe):
            try:
                check_key(plain.value, name.removeprefix("config."))
            except ConfigError as problem:
                sys.exit(f"error: {problem}")
