"""Methods and networks of outside authors: which file made one, and its import where a run needs
it again."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from pathlib import Path

from absl import logging

from uaps_jax import modules
from uaps_jax.config import Config, ConfigError

PACKAGE = Path(__file__).resolve().parent
KINDS = ("method", "network")

FILES: dict[tuple[str, str], Path] = {}
"""Kind and name -> the file that registered it; the package's own are not among them."""


def remember(kind: str, name: str) -> None:
    """Notes which file registers a method or a network: the one that called the caller."""
    FILES.pop((kind, name), None)
    frame = inspect.currentframe()
    for _ in range(2):
        frame = None if frame is None else frame.f_back
    if frame is None:
        return
    file = Path(frame.f_code.co_filename).resolve()
    if PACKAGE not in file.parents and file.is_file():
        FILES[kind, name] = file


def files_of(config: Config) -> dict[str, str]:
    """`<kind>_file` -> the file that made it, of the outside authors of a configuration."""
    names = {"method": config.method.name, "network": config.network.name}
    return {
        f"{kind}_file": str(FILES[kind, name])
        for kind, name in names.items()
        if (kind, name) in FILES
    }


def require(
    stored: Mapping[str, object],
    files: Mapping[str, str],
    known: Mapping[str, Collection[str]],
) -> None:
    """Imports the files that made the method and the network of a run, unless they are known.

    Args:
      stored: settings of the run, with `method.name` and `network.name`.
      files: `files_of`, as the user's own run wrote it down.
      known: kind -> names that are registered; a file adds its own.

    Raises:
      ConfigError: a file is not there any more, cannot be imported, or does not register it.
    """
    for kind in KINDS:
        name, file = str(stored.get(f"{kind}.name", "")), files.get(f"{kind}_file")
        if name in known[kind] or file is None:
            continue
        cure = "pass --config=FILE with its new place, or put it back"
        what = f"{file}, which made {kind} {name} of this run,"
        if not Path(file).is_file():
            raise ConfigError(f"{what} is not there: {cure}")
        logging.info("%s %s: importing %s, which this run wrote down as its file", kind, name, file)
        try:
            modules.run_file(Path(file), f"uaps_jax_outside_{name}")
        except Exception as error:
            raise ConfigError(
                f"{what} cannot be imported: {type(error).__name__}: {error}"
            ) from error
        if name not in known[kind]:
            raise ConfigError(f"{what} does not register it any more: {cure}")
