"""Atomic writing of files, and errors about full disks."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file atomically."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a text file, UTF-8, atomically."""
    write_bytes(path, text.encode())


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error or one of its causes reports a full disk."""
    while error is not None:
        number = error.errno if isinstance(error, OSError) else None
        if number in FULL or says_disk_full(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def says_disk_full(text: str) -> bool:
    """Whether the error message of a library contains the system's message for a full disk."""
    return any(os.strerror(number) in text for number in FULL)


def require_space(folder: Path, size: int) -> None:
    """Checks that `size` bytes are free on the disk of an existing folder.

    Nothing is checked on a file system that does not report its size.

    Raises:
      OSError: less space is free.
    """
    disk = os.statvfs(folder)
    free = disk.f_frsize * (disk.f_bfree if os.geteuid() == 0 else disk.f_bavail)
    if disk.f_blocks and free < size:
        what = f"{size / 2**20:.1f} MiB are needed, {free / 2**20:.1f} MiB are free"
        raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {what}", str(folder))


FULL = (errno.ENOSPC, errno.EDQUOT)  # the disk, or the user's quota
