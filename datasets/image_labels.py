"""Labels of whole images, as a CSV file: which classes an image has, and not where."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping, Sequence

from uaps_jax.datasets.common import Problem

FILE = "image_labels.csv"

HEADER = ("name", "classes")


def to_csv(labels: Mapping[str, Sequence[str]]) -> str:
    """A line for each image: its name, and the names of its classes; none where it has no defect.

    The lines are sorted by name.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for name, classes in sorted(labels.items()):
        writer.writerow([name, *classes])
    return text.getvalue()


def from_csv(
    text: str, where: str, class_names: Sequence[str], problems: list[Problem]
) -> dict[str, tuple[int, ...]]:
    """Name of an image -> the ids of its classes, ascending, without the background.

    Args:
      text: the lines of `to_csv`.
      where: the file, for problems.
      class_names: of the dataset, the background first.
      problems: gets those of the text.
    """
    found: dict[str, tuple[int, ...]] = {}
    for line, cells in _lines(text, where, problems):
        name, classes = cells[0], [cell for cell in cells[1:] if cell]
        unknown = [one for one in classes if one not in class_names]
        if not name:
            problems.append(Problem(f"{where}, line {line}", "names no image"))
        elif name in found:
            problems.append(Problem(f"{where}, line {line}", f"{name!r} has a line already"))
        elif unknown:
            reason = f"{unknown[0]!r} is no class; the classes are {', '.join(class_names)}"
            problems.append(Problem(f"{where}, line {line}", reason))
        else:
            ids = {class_names.index(one) for one in classes} - {0}
            found[name] = tuple(sorted(ids))
    return found


def unknown_names(
    labels: Mapping[str, Sequence[int]], names: Collection[str], where: str
) -> Iterator[Problem]:
    """The problem of lines of images that do not exist."""
    gone = [name for name in labels if name not in names]
    if gone:
        more = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
        yield Problem(
            where,
            f"{len(gone)} lines name no image: {', '.join(gone[:3])}{more}; a name is the path of "
            "an image without its suffix",
        )


def _lines(text: str, where: str, problems: list[Problem]) -> Iterator[tuple[int, list[str]]]:
    """The number and the cells of every line behind the header."""
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if tuple(header[:2]) != HEADER or any(header[2:]):
            reason = f"its first line must be {','.join(HEADER)}, not {','.join(header)!r}"
            problems.append(Problem(where, reason))
            return
        for cells in reader:
            if any(cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        problems.append(Problem(where, f"cannot be read: {error}"))
