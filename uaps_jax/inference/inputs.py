"""The images that a person gives to be predicted: a file, a folder, or a list of files."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from uaps_jax.config import ConfigError
from uaps_jax.data.photographs import Photographs
from uaps_jax.datasets.common import Problem
from uaps_jax.datasets.folder.scan import IMAGE_SUFFIXES, OTHER_PICTURES, nested, walk
from uaps_jax.datasets.plain_text import NAME_REASON, is_plain
from uaps_jax.datasets.regular_files import MOST_TEXT_BYTES, read_regular
from uaps_jax.inference import images
from uaps_jax.inference.images import Photograph

LIST_SUFFIX = ".txt"


class Source(NamedTuple):
    """An image to predict.

    Attributes:
      name: unique; the results are written under it.
      file: as the person knows it.
      read: decodes it; raises `ImageError`.
    """

    name: str
    file: str
    read: Callable[[], Photograph]

    def compared(self, trained_on: Photographs | None) -> Source:
        """The image with notes on how it differs from those of a training, if they are known."""
        return self._replace(read=lambda: self.read().compared(trained_on))


def find(given: Path, white: int, leave_out: Path, problems: list[Problem]) -> list[Source]:
    """The images of `--input`, sorted by name; as `find_files`.

    Args:
      given: likewise.
      white: the value that becomes 255 in a 16-bit image.
      leave_out: likewise.
      problems: likewise.
    """
    root, found = find_files(given, leave_out, problems)
    return [source(name, file, root, white) for name, file in found.items()]


def source(name: str, file: Path, root: Path, white: int) -> Source:
    """An image file below a folder, which the person knows by its path there."""
    return Source(name, _shown(file, root), functools.partial(images.read_photograph, file, white))


def find_files(
    given: Path, leave_out: Path, problems: list[Problem]
) -> tuple[Path, dict[str, Path]]:
    """The folder that all images of `--input` are in, and their files by name, sorted by name.

    Of a file, the name is its own without suffix; of a folder, the path in it; of a list, the path
    below the folder that all its files are in.

    Args:
      given: an image, a folder of images, or a text file with the path of an image in each line,
        relative to the folder of the text file.
      leave_out: a folder of earlier results, which is not entered.
      problems: gets the files that cannot be predicted.

    Raises:
      ConfigError: it does not exist, cannot be read, or names no image.
    """
    if given.is_dir():
        root, files = given, list(walk(given, problems, leave_out, OTHER_PICTURES))
    elif given.suffix.lower() == LIST_SUFFIX:
        files = _listed(given, problems)
        root = Path(os.path.commonpath([file.parent for file in files])) if files else given
    elif given.exists():
        root, files = given.parent, [given]
    else:
        raise ConfigError(f"--input={given}: does not exist")
    if not files and not problems:
        known = ", ".join(sorted(IMAGE_SUFFIXES))
        raise ConfigError(f"--input={given}: has no image ({known})")
    return root, dict(sorted(_named(files, root, problems).items()))


def label(given: Path) -> str:
    """A name for the results of an input: its own, and a digest of its whole path.

    Example:
      >>> label(Path("/data/parts"))
      'parts-4a5b13'
    """
    path = os.path.realpath(given)
    digest = hashlib.blake2b(os.fsencode(path), digest_size=3).hexdigest()
    name = re.sub(r"[^\w.-]", "_", Path(path).name)
    return f"{name}-{digest}"


def _listed(file: Path, problems: list[Problem]) -> list[Path]:
    """The files of a list."""
    try:
        text = read_regular(file, MOST_TEXT_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--input={file}: cannot be read: {error}") from error
    lines = dict.fromkeys(line.strip() for line in text.split("\n"))
    listed = [line for line in lines if line]
    problems += [Problem(line, NAME_REASON) for line in listed if not is_plain(line)]
    return [Path(os.path.abspath(file.parent / line)) for line in listed if is_plain(line)]


def _named(files: Sequence[Path], root: Path, problems: list[Problem]) -> dict[str, Path]:
    """Name -> file; of two files whose results would overwrite each other, the first."""
    named: dict[str, Path] = {}
    for file in files:
        name = file.relative_to(root).with_suffix("").as_posix()
        if name in named:
            other = _shown(named[name], root)
            reason = f"its result would overwrite that of {other}: rename one of them"
            problems.append(Problem(_shown(file, root), reason))
        else:
            named[name] = file
    for name, above in nested(list(named)):
        if name in named:
            other = _shown(named[above], root)
            reason = f"its result would lie in {above}.png, the result of {other}: rename one"
            problems.append(Problem(_shown(named.pop(name), root), reason))
    return named


def _shown(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()
