"""Filters the log messages of libraries."""

from __future__ import annotations

import contextlib
import logging as std_logging
from collections.abc import Iterator
from pathlib import Path

from absl import logging

from uaps_jax import files

PACKAGE = Path(__file__).parents[1]

EXPECTED_WARNINGS = ("Using custom data configuration", "Requested `tracked_metric`")
"""Beginnings of warnings without a cause to act: of TFDS, about a configuration that is not in its
table; of Orbax, about a checkpoint without a score."""


@contextlib.contextmanager
def filtered() -> Iterator[None]:
    """Within this context, only messages for which `is_for_user` holds are logged."""
    handler = logging.get_absl_handler()
    handler.addFilter(is_for_user)
    try:
        yield
    finally:
        handler.removeFilter(is_for_user)


def is_for_user(record: std_logging.LogRecord) -> bool:
    """Whether a log message is shown to the user.

    Messages of libraries below the level of a warning are not: Orbax logs some forty lines for each
    save. Messages of Orbax's threads about a full disk are not either, because the error of the
    save itself is reported when the process exits.
    """
    if str(record.msg).startswith(EXPECTED_WARNINGS):
        return False
    if "/orbax/" in record.pathname or record.name == "asyncio":
        with contextlib.suppress(Exception):  # the message and its arguments do not match
            if files.says_disk_full(record.getMessage()):
                return False
    is_ours = Path(record.pathname).is_relative_to(PACKAGE)
    return is_ours or record.levelno > std_logging.INFO or "site-packages" not in record.pathname
