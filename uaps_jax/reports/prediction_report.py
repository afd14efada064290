"""What was found in the images of an input, as a table and a summary."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from uaps_jax.data.leakage import numbered
from uaps_jax.datasets.common import Problem
from uaps_jax.inference.defects import Defect
from uaps_jax.inference.predict_images import Result

COLUMNS = (
    "file",
    "score",
    "verdict",
    "defect",
    "class",
    "area_px",
    "area_mm2",
    "left_px",
    "top_px",
    "width_px",
    "height_px",
    "centroid_x_px",
    "centroid_y_px",
    "largest_width_px",
    "largest_width_mm",
    "length_px",
    "length_mm",
    "image_width_px",
    "image_height_px",
    "notes",
    "problem",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """What was found in the images of an input.

    Attributes:
      title: name of the input.
      facts: what the images and the model are: name -> text.
      class_names: background first.
      results: of the images that were predicted, the worst first.
      problems: files that were not predicted, and why.
      mm_per_pixel: side of a pixel in mm; None if it is unknown.
    """

    title: str
    facts: Mapping[str, str]
    class_names: Sequence[str]
    results: Sequence[Result]
    problems: Sequence[Problem]
    mm_per_pixel: float | None


def worst_first(results: Sequence[Result]) -> list[Result]:
    """By the share of their pixels that are a defect."""
    return sorted(
        results,
        key=lambda result: (-sum(d.area for d in result.defects) / _pixels(result), result.file),
    )


def _pixels(result: Result) -> int:
    return result.size[0] * result.size[1]


def table(report: Report) -> str:
    """A CSV table with a row for each defect.

    An image without a defect has one row, and a file that was not predicted has one.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for result in report.results:
        height, width = result.size
        image = {
            "file": result.file,
            "image_width_px": width,
            "image_height_px": height,
            "notes": "; ".join(result.notes),
        }
        rows = [
            image | {"defect": number} | _cells(defect, report)
            for number, defect in enumerate(result.defects, start=1)
        ]
        writer.writerows(rows or [image])
    writer.writerows({"file": path, "problem": reason} for path, reason in report.problems)
    return text.getvalue()


def _cells(defect: Defect, report: Report) -> dict[str, object]:
    cells: dict[str, object] = {
        "class": report.class_names[defect.label],
        "area_px": defect.area,
        "left_px": defect.box.left,
        "top_px": defect.box.top,
        "width_px": defect.box.width,
        "height_px": defect.box.height,
        "centroid_x_px": f"{defect.centroid[0]:.1f}",
        "centroid_y_px": f"{defect.centroid[1]:.1f}",
        "largest_width_px": f"{defect.largest_width:.1f}",
        "length_px": f"{defect.length:.1f}",
    }
    if (scale := report.mm_per_pixel) is not None:
        cells["area_mm2"] = f"{defect.area * scale**2:.4g}"
        cells["largest_width_mm"] = f"{defect.largest_width * scale:.4g}"
        cells["length_mm"] = f"{defect.length * scale:.4g}"
    return cells


def summary(report: Report) -> list[str]:
    """Sentences with the numbers of images, of defects by class, and of files with problems."""
    with_defect = sum(bool(result.defects) for result in report.results)
    found = Counter(defect.label for result in report.results for defect in result.defects)
    sentences = [
        f"{numbered(len(report.results), 'image')} predicted, {with_defect} with a defect."
    ]
    if not found:
        if report.results:
            sentences.append("No defect is predicted in any image.")
    else:
        by_class = ", ".join(
            f"{found[label]} {report.class_names[label]}" for label in sorted(found)
        )
        sentences.append(f"{numbered(sum(found.values()), 'defect')}: {by_class}.")
    if report.problems:
        sentences.append(f"{numbered(len(report.problems), 'file')} could not be predicted.")
    return sentences


def problem_lines(problems: Sequence[Problem]) -> Iterator[str]:
    """One line for each reason: how many files it concerns, and the first of them."""
    by_reason: dict[str, list[str]] = {}
    for path, reason in problems:
        by_reason.setdefault(reason, []).append(path)
    for reason, paths in by_reason.items():
        more = f" and {numbered(len(paths) - 1, 'more file')}" if len(paths) > 1 else ""
        yield f"{paths[0]}{more}: {reason}"
