"""Reads whole files, after a check that they are regular and not too large.

Reading from a pipe or a device could block, or never end.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

MOST_BYTES = 2**31
"""Of an image or a mask. The largest that `common.MOST_PIXELS` allows are smaller."""

MOST_TEXT_BYTES = 2**26
"""Of a table, a list of names or a split: some hundred thousand images."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_regular(path: str | os.PathLike, most: int | None = MOST_BYTES) -> int:
    """Checks a file without opening it.

    Args:
      path: the file, or a link to it.
      most: the largest size in bytes; None for any.

    Returns:
      Its size in bytes.

    Raises:
      OSError: it does not exist, is a folder, pipe, socket or device, or is larger.
    """
    about = os.stat(path)
    if not stat.S_ISREG(about.st_mode):
        kind = _KINDS.get(stat.S_IFMT(about.st_mode), "something else")
        raise OSError(f"it is {kind}, not a file")
    if most is not None and about.st_size > most:
        raise OSError(f"it has {about.st_size} bytes; at most {most} are read")
    return about.st_size


def read_regular(path: str | os.PathLike, most: int = MOST_BYTES) -> bytes:
    """The bytes of a file.

    Raises:
      OSError: as `check_regular`; or the file cannot be read, or has more bytes than its size.
    """
    size = check_regular(path, most)
    with Path(path).open("rb") as file:
        data = file.read(size + 1)
    if len(data) > size:
        raise OSError(f"it has more than the {size} bytes that its size says")
    return data
