"""What was found in the images of an input, as a table and a summary."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from uaps_jax.data.leakage import numbered
from uaps_jax.datasets.common import Problem
from uaps_jax.evaluation.decision import Decision
from uaps_jax.inference import defects
from uaps_jax.inference.results import Result

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
      facts: about the images and the model, name -> text.
      decision: that gave the verdicts; None if the model has none.
      class_names: background first.
      results: of the images that were predicted, the worst first.
      problems: files that were not predicted, and why.
      mm_per_pixel: side of a pixel in mm; None if it is unknown.
    """

    title: str
    facts: Mapping[str, str]
    decision: Decision | None
    class_names: Sequence[str]
    results: Sequence[Result]
    problems: Sequence[Problem]
    mm_per_pixel: float | None


def worst_first(results: Sequence[Result]) -> list[Result]:
    """By score."""
    return sorted(results, key=lambda result: (-result.score, result.file))


def score(result: Result) -> str:
    """The score as text."""
    return f"{result.score:.4g}"


def table(report: Report) -> str:
    """A CSV table with a row for each defect that was measured.

    An image without a defect has one row, and a file that was not predicted has one.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    names = report.class_names
    for result in report.results:
        height, width = result.size
        image = {
            "file": result.file,
            "score": score(result),
            "verdict": result.verdict,
            "image_width_px": width,
            "image_height_px": height,
            "notes": "; ".join(result.notes),
        }
        rows = [
            image | {"defect": number} | defects.described(defect, names, report.mm_per_pixel)
            for number, defect in enumerate(result.defects, start=1)
        ]
        writer.writerows(rows or [image])
    writer.writerows({"file": path, "problem": reason} for path, reason in report.problems)
    return text.getvalue()


def summary(report: Report) -> list[str]:
    """Sentences with the numbers of images by verdict, of defects by class, and of problems."""
    results, names = report.results, report.class_names
    first = f"{numbered(len(results), 'image')} predicted"
    if report.decision is not None and results:
        not_ok = sum(result.not_ok is True for result in results)
        first += f": {not_ok} not OK, {len(results) - not_ok} OK"
    sentences = [f"{first}."]
    found = Counter(defect.label for result in results for defect in result.defects)
    if found:
        by_class = ", ".join(f"{found[label]} {names[label]}" for label in sorted(found))
        images = numbered(sum(bool(result.defects) for result in results), "image")
        sentences.append(f"{numbered(found.total(), 'defect')} in {images}: {by_class}.")
        if left_out := sum(result.left_out for result in results):
            sentences.append(f"{numbered(left_out, 'smaller defect')} are not measured.")
    elif results:
        sentences.append("No defect is predicted in any image.")
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
