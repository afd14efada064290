"""The error of weight files, and the file's name in its message."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from uaps_jax.config import ConfigError

DAMAGED = "is incomplete or damaged: fetch or copy the file again"


class WeightsError(ConfigError):
    """A file of weights that cannot be read, or that does not fit the network."""


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[None]:
    """Puts the path before the message of a `WeightsError` raised inside.

    Raises:
      WeightsError: also for a file that the operating system does not give.
    """
    try:
        yield
    except WeightsError as error:
        raise WeightsError(f"{os.fspath(path)}: {error}") from error
    except FileNotFoundError as error:
        raise WeightsError(
            f"{os.fspath(path)}: does not exist: give the path of a .pth, .pt or .safetensors file"
        ) from error
    except OSError as error:
        raise WeightsError(
            f"{os.fspath(path)}: cannot be read: {error.strerror or error}"
        ) from error


@contextmanager
def parsing() -> Iterator[None]:
    """Turns any exception of a parser of damaged content into a `WeightsError`.

    The parsers of pickles and of zip archives raise exceptions of many types.
    """
    try:
        yield
    except (WeightsError, OSError):
        raise
    except Exception as error:
        raise WeightsError(f"{DAMAGED} ({type(error).__name__}: {str(error)[:100]})") from error
