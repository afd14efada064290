"""Builds datasets from their raw data, and checks that a build belongs to the raw data."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import importlib
import os
import pkgutil
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from absl import logging

from uaps_jax import datasets, files
from uaps_jax.config import ConfigError, DataConfig
from uaps_jax.data.paths import expanded, raw_folder
from uaps_jax.datasets.common import DataError, NothingFoundError
from uaps_jax.datasets.folder import scan
from uaps_jax.datasets.segmentation_builder import SegmentationBuilder

SOURCE = "source.txt"
"""File of a build with a digest of the names of its raw data."""

SETTINGS = "settings.txt"
"""File of a build of a user's folder with its settings."""

LOCK = ".lock"
"""File beside the builds of a dataset while a process builds, which has locked it."""


def built(data: DataConfig) -> tfds.core.DatasetBuilder:
    """The TFDS builder of the dataset `data.name`, built from its raw data if necessary.

    While another process builds a dataset of the same folder, this one waits.

    Raises:
      ConfigError: the dataset is unknown, its raw data do not exist, or it was built from others.
      DataError: files of the raw data are bad; the message lists all of them.
    """
    builder = _builder(data)
    if not builder.info.splits:
        if _build(builder, data):
            return builder
        builder = _open(type(builder), builder.builder_config, data)
    _check_source(builder, data)
    return builder


@contextlib.contextmanager
def _alone(folder: Path, what: str) -> Iterator[None]:
    """No other process builds `what` in the folder meanwhile; the lock leaves no file."""
    lock = folder / LOCK
    descriptor = _locked(lock, what)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _locked(lock: Path, what: str) -> int:
    """The descriptor of a file that this process has locked, after others that had."""
    while True:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            # Opened to read, so that people who share the folder can all lock it.
            descriptor = os.open(lock, os.O_RDONLY | os.O_CREAT, 0o644)
        except OSError as error:
            reason = f"{lock}: {error.strerror}; choose another data.data_dir"
            raise ConfigError(f"{what} cannot be built: {reason}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logging.info("another process builds %s; this one waits for it", what)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:  # a file system without locks
            logging.warning(
                "%s cannot be locked (%s): no other process may build %s now",
                lock.parent,
                error.strerror,
                what,
            )
            return descriptor
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        os.close(descriptor)  # who had it has removed the file: another may have made a new one


def _builder(data: DataConfig) -> tfds.core.DatasetBuilder:
    base, _, variant = data.name.partition("/")
    known = sorted(m.name for m in pkgutil.iter_modules(datasets.__path__) if m.ispkg)
    if base not in known:
        raise ConfigError(f"data.name = {base!r}: must be one of {', '.join(known)}")
    module = importlib.import_module(f"uaps_jax.datasets.{base}.{base}_dataset_builder")
    builder = module.Builder
    variants = [f"{base}/{c}" for c in builder.builder_configs]
    if variant and data.name not in variants:
        raise ConfigError(
            f"data.name = {data.name!r}: must be one of {', '.join([base, *variants])}"
        )
    config: Any = variant or None
    if base == "folder":  # its TFDS configurations are the states of a user's folder
        with _empty_default_explained(builder, data):
            config = module.configure(_folder_settings(builder, data))
    return _open(builder, config, data)


def _open(kind: Any, config: Any, data: DataConfig) -> tfds.core.DatasetBuilder:
    """A builder of this class, with the TFDS configuration of this name or object."""
    target = expanded(data.data_dir, "data.data_dir").resolve()
    opened: tfds.core.DatasetBuilder = kind(
        config=config, data_dir=str(target), file_format="array_record"
    )
    return opened


def _build(builder: tfds.core.DatasetBuilder, data: DataConfig) -> bool:
    """Builds a dataset and writes the digest of its raw data beside it.

    Returns:
      False if another process has built it meanwhile.
    """
    folder = _manual_dir(builder, data)
    logging.info("building %s in %s", data.name, builder.data_path)
    digest = None
    if isinstance(builder, SegmentationBuilder):
        with _empty_default_explained(builder, data):  # before TFDS writes anything
            digest = builder.source_digest(Path(folder))
    with _alone(Path(builder.data_path).parent, data.name):
        if _open(type(builder), builder.builder_config, data).info.splits:
            return False
        how = tfds.download.DownloadConfig(manual_dir=folder)
        builder.download_and_prepare(download_config=how)
        if digest is not None:
            files.write_text(Path(builder.data_path) / SOURCE, digest)
        if settings := getattr(builder.builder_config, "settings", None):
            files.write_text(Path(builder.data_path) / SETTINGS, repr(settings))
            _log_unused(Path(builder.data_path))
    return True


def _log_unused(build: Path) -> None:
    """Names earlier builds of the same folder by the same settings: its files have changed since.

    Builds of versions that did not write `SETTINGS` are not found.
    """
    settings = (build / SETTINGS).read_text()
    unused = sorted(
        file.parent
        for file in build.parents[1].glob(f"*/*/{SETTINGS}")
        if file.parent != build and file.read_text() == settings
    )
    if unused:
        size = sum(f.stat().st_size for old in unused for f in old.rglob("*") if f.is_file())
        logging.info(
            "%s of these settings, %.1f MiB, %s of files that have changed since, and not used any "
            "more, unless a training still runs on them; to remove: rm -r %s",
            f"{len(unused)} earlier build{'s' * (len(unused) != 1)}",
            size / 2**20,
            "is" if len(unused) == 1 else "are",
            shlex.join(str(old) for old in unused),
        )


def _check_source(builder: tfds.core.DatasetBuilder, data: DataConfig) -> None:
    """Checks that a dataset was built from the present raw data, if there are any.

    Raises:
      ConfigError: it was built from other raw data, or from an incomplete download.
    """
    stored, folder = Path(builder.data_path) / SOURCE, raw_folder(data)
    if not (isinstance(builder, SegmentationBuilder) and stored.exists()):
        return
    if not data.manual_dir and not folder.is_dir():
        return
    try:
        digest = builder.source_digest(folder)
    except (DataError, OSError) as error:
        if data.manual_dir or not isinstance(error, NothingFoundError):
            logging.warning("using what was built before: %s", str(error).splitlines()[0])
        return
    if digest != stored.read_text():
        name = "data.manual_dir =" if data.manual_dir else "the default folder,"
        raise ConfigError(
            f"{builder.data_path} was built from other files than those in {name} {folder}: remove "
            "it, so that it is built again, or choose another data.data_dir"
        )


def _folder_settings(builder: Any, data: DataConfig) -> scan.Settings:
    values = {
        field.name: getattr(data.folder, field.name) for field in dataclasses.fields(data.folder)
    }
    return scan.Settings(root=Path(_manual_dir(builder, data)), **values)


def _manual_dir(builder: Any, data: DataConfig) -> str:
    """The folder of the raw data; "" for a dataset without raw data.

    Raises:
      ConfigError: it does not exist.
    """
    instructions = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    if not instructions:
        return ""
    folder = raw_folder(data)
    if folder.is_dir():
        return str(folder)
    if not data.manual_dir:
        raise _empty_default(builder, data)
    reason = "is a file; give the folder it is in" if folder.exists() else "does not exist"
    raise ConfigError(
        f"data.manual_dir = {folder}: {reason}. {_base_name(data)} cannot be downloaded "
        f"automatically. {instructions.strip()}\n"
        "Then pass the folder: --config.data.manual_dir=FOLDER"
    )


@contextlib.contextmanager
def _empty_default_explained(builder: Any, data: DataConfig) -> Iterator[None]:
    """If no raw data are found in the default folder, replaces the error by `_empty_default`."""
    try:
        yield
    except NothingFoundError as error:
        if data.manual_dir or not error.is_plain:
            raise
        raise _empty_default(builder, data) from error


def _empty_default(builder: Any, data: DataConfig) -> ConfigError:
    """The error for raw data that are not in the default folder."""
    return ConfigError(
        f"{_base_name(data)} has no raw data yet: put {builder.DOWNLOAD} into {raw_folder(data)}, "
        "or pass --config.data.manual_dir=FOLDER"
    )


def _base_name(data: DataConfig) -> str:
    """The name of the dataset without its TFDS configuration."""
    return data.name.partition("/")[0]
