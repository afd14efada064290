"""Finds a user's images and masks: two folders with equal names in them, or a table."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import os
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from uaps_jax.datasets.common import DataError, NothingFoundError, Problem
from uaps_jax.datasets.folder import mask_names
from uaps_jax.datasets.plain_text import NAME_REASON, is_plain
from uaps_jax.datasets.regular_files import MOST_TEXT_BYTES, check_regular, read_regular

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
OTHER_PICTURES = frozenset(
    {".gif", ".webp", ".jp2", ".heic", ".avif", ".ppm", ".pgm", ".dcm", ".raw"}
)
"""Formats of pictures that are not read: they are problems, since ignoring them would lose data."""
OTHER_SUFFIXES = OTHER_PICTURES | {".npy", ".npz", ".mat", ".json", ".svg"}
"""Formats of images and masks that are not read, likewise."""
SPLITS = ("train", "val", "test")
COLUMNS = ("image", "mask", "split", "group")

INSTRUCTIONS = """\
Put your images into a folder `images` and the masks that you have into a folder `masks` beside it,
each under the name of its image (images/part_01.jpg, masks/part_01.png); images without a mask are
used as unlabeled ones. Then pass the folder that holds both: --config.data.manual_dir=FOLDER;
without it, run.py looks in downloads/. Other folders: --config.data.folder.images and
--config.data.folder.masks, or a table with the columns image, mask, split, group (all but the first
may be empty or absent): --config.data.folder.table. PNG, JPEG, BMP and TIFF images of up to 89
megapixels are read, masks as PNG, BMP or TIFF. The classes of the mask values are in
FOLDER/classes.yaml, background first:
  background: 0
  scratch: 255        # or a colour, "#ff0000", or several values, [1, 2]
  ignore: 128         # optional: pixels without a label
Classes of whole images, without masks, may be in FOLDER/image_labels.csv."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a user's data.

    Attributes:
      root: the folder of relative paths (those in a table are relative to the table's folder).
      images: folder of images; "" is `images`.
      masks: folder of masks; "" is `masks`. It may be that of the images if there is a suffix.
      mask_suffix: what the name of a mask has behind the name of its image, such as `_label`.
      table: CSV file in place of both; "" for none. All its files are below the root.
      classes: `name=value` entries; () reads `classes.yaml`.
      group: regular expression for the leakage group in an image's name: its first group, or the
        whole match, is the same for images of the same part. "" for none.
      white: the value of a 16-bit image that becomes 255.
    """

    root: Path
    images: str
    masks: str
    mask_suffix: str
    table: str
    classes: tuple[str, ...]
    group: str
    white: int


class Entry(NamedTuple):
    """One image.

    Attributes:
      name: unique; its path without suffix, in the images folder or, of a table, below the root.
        Results are written under it.
      image: its file.
      mask: the file of its mask; None where it has none.
      split: "train", "val" or "test".
      group: its leakage group; "" if unknown.
    """

    name: str
    image: Path
    mask: Path | None
    split: str
    group: str


def scan(settings: Settings) -> tuple[list[Entry], list[Problem]]:
    """All images, sorted by name, and the problems of their names and paths.

    Raises:
      DataError: there is no image at all.
      NothingFoundError: there is no folder of images.
    """
    problems: list[Problem] = []
    read = _from_table if settings.table else _from_folders
    entries = sorted(read(settings, problems), key=lambda entry: entry.name)
    if not entries and not problems:
        problems.append(Problem(str(settings.root), "no images found"))
    if not entries:
        raise DataError(problems, INSTRUCTIONS)
    files = {entry.name: entry.image for entry in entries}
    problems += [
        Problem(str(files[name]), f"its result would be in {above}.png, that of {files[above]}")
        for name, above in nested(list(files))
    ]
    return entries, problems


def nested(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names whose folder is the file of another name: `a.png/b` beside `a`, whose file is `a.png`.

    Yields:
      Such a name, and the name whose file, which ends in .png, is in conflict with it.
    """
    files = {f"{name}.png": name for name in names}
    for name in names:
        for folder in PurePosixPath(name).parents:
            if str(folder) in files:
                yield name, files[str(folder)]


def digest_files(entries: Sequence[Entry]) -> dict[Path, str]:
    """A digest of the bytes of every file that can be read."""
    files = {file for entry in entries for file in (entry.image, entry.mask) if file}
    digests = {}
    for file in sorted(files):
        try:
            check_regular(file)
            with file.open("rb") as opened:
                digest = hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16))
            digests[file] = digest.hexdigest()
        except OSError:  # The builder reports it.
            digests[file] = ""
    return digests


def fingerprint(entries: Sequence[Entry], digests: dict[Path, str], meaning: str) -> str:
    """16 hexadecimal digits that change with any byte, name, split, group, or `meaning`."""
    total = hashlib.blake2b(meaning.encode(), digest_size=8)
    for entry in entries:
        contents = [digests[entry.image], digests[entry.mask] if entry.mask else "none"]
        total.update("\0".join([entry.name, entry.split, entry.group, *contents, ""]).encode())
    return total.hexdigest()


def number_groups(entries: Sequence[Entry], digests: dict[Path, str]) -> list[int]:
    """The number of each entry's leakage group; entries of the same bytes share one."""
    parent = list(range(len(entries)))

    def root(index: int) -> int:
        while parent[index] != index:
            index = parent[index]
        return index

    first: dict[tuple[str, str], int] = {}
    for index, entry in enumerate(entries):
        keys = [("group", entry.group), ("bytes", digests[entry.image])]
        for key in keys:
            if key[1]:
                a, b = root(first.setdefault(key, index)), root(index)
                parent[max(a, b)] = min(a, b)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(index), len(numbers)) for index in range(len(entries))]


def _from_folders(settings: Settings, problems: list[Problem]) -> Iterator[Entry]:
    images = settings.root / (settings.images or "images")
    masks = settings.root / (settings.masks or "masks")
    if not images.is_dir():
        missing = Problem(str(images), "this folder of images does not exist")
        raise NothingFoundError([missing], INSTRUCTIONS)
    allowed = [_real(folder) for folder in (settings.root, images, masks)]
    suffix = settings.mask_suffix
    if _real(images) == _real(masks):
        files = _by_name(images, problems, None, allowed)
        if not suffix:
            reason = f"has images and masks: tell them apart by {mask_names.FLAG}, such as _label"
            problems.append(Problem(str(images), reason))
        by_name, mask_by_name = mask_names.divided(files, suffix) if suffix else (files, {})
    else:
        by_name = _by_name(images, problems, masks, allowed)
        if settings.masks and not masks.is_dir():
            problems.append(Problem(str(masks), "this folder of masks does not exist"))
        mask_by_name = _by_name(masks, problems, images, allowed) if masks.is_dir() else {}
        if suffix:
            others, mask_by_name = mask_names.divided(mask_by_name, suffix)
            reason = f"its name does not end in {suffix}"
            problems += [Problem(str(file), reason) for file in others.values()]
        if not masks.is_dir() and not settings.masks:
            problems += mask_names.among_images(images, by_name, settings.images or "images")
    problems += mask_names.without_image(masks, mask_by_name, images, by_name)
    group_of = _grouping(settings.group, list(by_name), problems)
    for name, image in by_name.items():
        yield Entry(name, image, mask_by_name.get(name), "train", group_of.get(name, ""))


def _by_name(
    folder: Path, problems: list[Problem], leave_out: Path | None, allowed: Sequence[Path]
) -> dict[str, Path]:
    """The images below a folder by relative path without suffix; one folder is not entered.

    Links to files outside of the allowed folders are problems: such a file is not part of the data.
    """
    files: dict[str, Path] = {}
    for file in walk(folder, problems, leave_out, OTHER_SUFFIXES):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if file.is_symlink() and not any(_real(file).is_relative_to(root) for root in allowed):
            reason = f"is a link to {_real(file)}, which {_outside(allowed[0])}"
            problems.append(Problem(str(file), reason))
        elif name in files:
            problems.append(Problem(str(file), f"a second file of this name, after {files[name]}"))
        else:
            files[name] = file
    return files


def walk(
    folder: Path,
    problems: list[Problem],
    leave_out: Path | None,
    refused: Collection[str],
) -> Iterator[Path]:
    """Image files below a folder, without hidden ones.

    Problems are links to folders, names that are not plain text, and files that are not regular or
    too large, and files with a refused suffix.
    """
    left_out = None if leave_out is None else os.path.abspath(leave_out)

    def failed(error: OSError) -> None:
        problems.append(Problem(str(error.filename), f"cannot be read: {error.strerror}"))

    for here, folders, files in os.walk(folder, onerror=failed):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.abspath(Path(here, name)) != left_out
        )
        for name in folders:
            link = Path(here, name)
            if link.is_symlink():
                problems.append(Problem(str(link), "a link to a folder, which is not followed"))
            elif not is_plain(name):
                problems.append(Problem(str(link), NAME_REASON))
        folders[:] = filter(is_plain, folders)
        for name in sorted(files):
            file = Path(here, name)
            if name.startswith("."):
                continue
            if file.suffix.lower() in IMAGE_SUFFIXES:
                reason = NAME_REASON if not is_plain(name) else _unusable(file)
                if reason:
                    problems.append(Problem(str(file), reason))
                else:
                    yield file
            elif file.suffix.lower() in refused:
                known = ", ".join(sorted(IMAGE_SUFFIXES))
                problems.append(Problem(str(file), f"is not of a format that is read: {known}"))


def _unusable(file: Path) -> str:
    """Why a file cannot be read, judged without opening it; "" if it can."""
    try:
        check_regular(file)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return ""


def _real(path: Path) -> Path:
    """The path without links and dots."""
    return Path(os.path.realpath(path))


def _outside(root: Path) -> str:
    return f"is outside of {root}: copy it there, or make data.manual_dir a folder above both"


def _grouping(text: str, names: Sequence[str], problems: list[Problem]) -> dict[str, str]:
    """name -> the match of a pattern, for the names that match."""
    where = "data.folder.group"
    if not text:
        return {}
    try:
        pattern = re.compile(text)
    except re.error as error:
        problems.append(Problem(where, f"{text!r} is not a regular expression: {error}"))
        return {}
    matches = {name: pattern.search(name) for name in names}
    groups = {n: m.group(m.re.groups and 1) or "" for n, m in matches.items() if m}
    if names and not any(groups.values()):
        problems.append(
            Problem(where, f"{text!r} matches none of the {len(names)} names, such as {names[0]!r}")
        )
    return groups


def _from_table(settings: Settings, problems: list[Problem]) -> Iterator[Entry]:
    table = settings.root / settings.table
    try:
        columns, rows = _read_table(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problems.append(Problem(str(table), f"cannot be read: {error}"))
        return
    if "image" not in columns or not set(columns) <= set(COLUMNS) or _twice(columns):
        problems.append(
            Problem(
                str(table),
                f"has the columns {', '.join(columns) or 'none'}; must be image and, where wanted, "
                "mask, split, group, each once, with commas between them",
            )
        )
        return
    if not rows:
        problems.append(Problem(str(table), "has no rows"))
    lines: dict[str, int] = {}
    entries: list[Entry] = []
    for line, row in rows:
        where = f"{table}, line {line}"
        cells = {column: (row.get(column) or "").strip() for column in COLUMNS}
        split = cells["split"] or "train"
        if wrong := _wrong_cells(cells, row, table.parent, settings.root):
            problems += [Problem(where, reason) for reason in wrong]
            continue
        name = _table_name(table.parent / cells["image"], settings.root)
        if split not in SPLITS:
            problems.append(Problem(where, f"split {split!r} must be one of {', '.join(SPLITS)}"))
        elif name in lines:
            problems.append(Problem(where, f"{name} is in line {lines[name]} already"))
        else:
            lines[name] = line
            mask = table.parent / cells["mask"] if cells["mask"] else None
            entries.append(Entry(name, table.parent / cells["image"], mask, split, cells["group"]))
    group_of = _grouping(settings.group, [entry.name for entry in entries], problems)
    for entry in entries:
        yield entry._replace(group=entry.group or group_of.get(entry.name, ""))


Row = dict[str | Any, str | Any]
"""Column -> cell; None -> cells beyond the columns."""


def _read_table(table: Path) -> tuple[list[str], list[tuple[int, Row]]]:
    """The columns of a CSV file, and its rows, each with the number of its last line."""
    text = read_regular(table, MOST_TEXT_BYTES).decode("utf-8-sig")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = [str(column).strip() for column in reader.fieldnames or ()]
    reader.fieldnames = columns
    return columns, [(reader.line_num, row) for row in reader]


def _twice(items: Sequence[str]) -> bool:
    return len(set(items)) < len(items)


def _wrong_cells(cells: dict[str, str], row: Row, start: Path, root: Path) -> list[str]:
    """The problems of a row of a table whose paths are relative to the folder `start`."""
    if None in row:
        return [f"has {len(row[None])} cells more than there are columns"]
    if Path(cells["image"]).name in ("", ".."):
        return ["names no image"]
    named = [cells[column] for column in ("image", "mask") if cells[column]]
    reasons = []
    for cell in named:
        if not is_plain(cell):
            reasons.append(f"{cell!r}: {NAME_REASON}")
        elif not _real(start / cell).is_relative_to(_real(root)):
            reasons.append(f"{cell} {_outside(root)}")
        elif os.path.exists(start / cell) and (reason := _unusable(start / cell)):
            reasons.append(f"{cell} {reason}")
    return reasons


def _table_name(image: Path, root: Path) -> str:
    """The path of an image below the root, without suffix; results are written under this name."""
    whole, top = Path(os.path.abspath(image)), Path(os.path.abspath(root))
    if not whole.is_relative_to(top):  # It is below the root only if links are resolved.
        whole, top = _real(image), _real(root)
    return whole.relative_to(top).with_suffix("").as_posix()
