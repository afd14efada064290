"""Methods and networks that files outside the package register; importing these files again."""

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
"""(Kind, name) -> the file that registered it, for files outside the package."""


def record_file(kind: str, name: str, registered: Collection[str]) -> None:
    """Adds the file that registers a method or a network to `FILES`: the caller's caller.

    Args:
      kind: "method" or "network".
      name: to be registered.
      registered: names that are registered already.

    Raises:
      ValueError: the package, or another file, has registered the name.
    """
    frame = inspect.currentframe()
    for _ in range(2):
        frame = None if frame is None else frame.f_back
    file = None if frame is None else Path(frame.f_code.co_filename).resolve()
    if file is None or PACKAGE in file.parents or not file.is_file():
        return
    if name in registered and FILES.get((kind, name)) != file:
        owner = FILES.get((kind, name), "uaps_jax itself")
        raise ValueError(
            f"{file} registers a {kind} named {name!r}, but {owner} has registered this name: "
            "choose another name"
        )
    FILES[kind, name] = file


def files_of(config: Config) -> dict[str, str]:
    """`<kind>_file` -> file, for the method and the network if `FILES` has them."""
    names = {"method": config.method.name, "network": config.network.name}
    return {
        f"{kind}_file": str(FILES[kind, name])
        for kind, name in names.items()
        if (kind, name) in FILES
    }


def import_missing(
    stored: Mapping[str, object],
    files: Mapping[str, str],
    known: Mapping[str, Collection[str]],
) -> None:
    """Imports the files that register the method and the network of a run, if not imported yet.

    Args:
      stored: settings of the run, with `method.name` and `network.name`.
      files: result of `files_of`, stored by the run.
      known: kind -> registered names; importing a file adds to them.

    Raises:
      ConfigError: a file does not exist, cannot be imported, or does not register the name.
    """
    for kind in KINDS:
        name, file = str(stored.get(f"{kind}.name", "")), files.get(f"{kind}_file")
        if file is None or (kind, name) in FILES:
            continue
        if name in known[kind]:
            raise ConfigError(
                f"the {kind} {name} of this run is defined in {file}, but this version of uaps_jax "
                f"has a {kind} of the same name: rename it in that file, and train again"
            )
        cure = "restore it, or pass its new path by --config=FILE"
        what = f"{file}, which defines the {kind} {name} of this run,"
        if not Path(file).is_file():
            raise ConfigError(f"{what} does not exist: {cure}")
        logging.info("%s %s: importing %s, as stored by this run", kind, name, file)
        try:
            modules.run_file(Path(file), f"uaps_jax_external_{name}")
        except Exception as error:
            raise ConfigError(
                f"{what} cannot be imported: {type(error).__name__}: {error}"
            ) from error
        if name not in known[kind]:
            raise ConfigError(f"{what} no longer registers it: {cure}")
