"""What libraries log, and which of it is shown."""

from __future__ import annotations

import contextlib
import logging as std_logging
from collections.abc import Iterator

from absl import logging

from uaps_jax import files

# Warnings of TFDS (about every configuration that is not in its table) and of Orbax (about every
# checkpoint without a score) that warn of what is meant.
MEANT = ("Using custom data configuration", "Requested `tracked_metric`")


@contextlib.contextmanager
def hidden() -> Iterator[None]:
    """Leaves out of the log what `is_worth_showing` denies."""
    handler = logging.get_absl_handler()
    handler.addFilter(is_worth_showing)
    try:
        yield
    finally:
        handler.removeFilter(is_worth_showing)


def is_worth_showing(record: std_logging.LogRecord) -> bool:
    """Whether a line of the log is for the user.

    Information of libraries is not: Orbax writes some forty lines for each save. Nor is what each
    of Orbax's threads says of a full disk: what the save raises is said at the end.
    """
    if str(record.msg).startswith(MEANT):
        return False
    if "/orbax/" in record.pathname or record.name == "asyncio":
        with contextlib.suppress(Exception):  # a text and arguments that do not fit each other
            if files.says_disk_full(record.getMessage()):
                return False
    return record.levelno > std_logging.INFO or "site-packages" not in record.pathname
