"""Methods of outside authors: which file made one, and its import where a run needs it again."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from absl import logging

from uaps_jax import modules
from uaps_jax.config import ConfigError

PACKAGE = Path(__file__).resolve().parents[1]

FILES: dict[str, Path] = {}
"""Name of a method -> the file that registered it; the package's own are not among them."""


def remember(name: str, file: Path) -> None:
    """Notes which file registers a method."""
    FILES.pop(name, None)
    file = file.resolve()
    if PACKAGE not in file.parents and file.is_file():
        FILES[name] = file


def require(name: str, file: str | None, known: Collection[str]) -> None:
    """Imports the file that made a method, unless the method is known.

    Args:
      name: of the method.
      file: as the user's own run wrote it down; None where it is one of the package.
      known: names of the methods that are registered; the file adds its own.

    Raises:
      ConfigError: the file is not there any more, cannot be imported, or has no such method.
    """
    if name in known or file is None:
        return
    cure = "pass --config=FILE with its new place, or put it back"
    what = f"{file}, which made method {name} of this run,"
    if not Path(file).is_file():
        raise ConfigError(f"{what} is not there: {cure}")
    logging.info("method %s: importing %s, which this run wrote down as its file", name, file)
    try:
        modules.run_file(Path(file), f"uaps_jax_outside_{name}")
    except Exception as error:
        raise ConfigError(f"{what} cannot be imported: {type(error).__name__}: {error}") from error
    if name not in known:
        raise ConfigError(f"{what} does not register it any more: {cure}")
