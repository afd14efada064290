"""The error of weight files, and the file's name in its message."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from uaps_jax.config import ConfigError


class WeightsError(ConfigError):
    """A file of weights that cannot be read, or that does not fit the network."""


def damaged(detail: str = "") -> WeightsError:
    """The error of a file whose content contradicts itself or its format."""
    why = f" ({detail})" if detail else ""
    return WeightsError(f"is incomplete or damaged{why}: fetch or copy the file again")


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

    The parsers of pickles and of zip archives raise exceptions of many types. An `OSError` stays,
    unless it is about the argument: a place outside of the file.
    """
    try:
        yield
    except WeightsError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise damaged(f"{type(error).__name__}: {' '.join(str(error).split())[:100]}") from error
