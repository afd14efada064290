"""The audit of a dataset as text, and as an HTML page that contains its pictures."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from uaps_jax import palette
from uaps_jax.data import leakage, splits
from uaps_jax.data.findings import Finding
from uaps_jax.data.source import Dataset
from uaps_jax.data.survey import Survey
from uaps_jax.datasets.common import DataError, read_image, read_mask
from uaps_jax.reports import html_page

_SIDE = 132  # pixels of a thumbnail's longer side
_IMAGES_PER_CLASS = 6
_IMAGES_PER_FINDING = 8
_MAX_SIZES = 12  # rows of the table of sizes

_STYLE = """
body { max-width: 66rem; }
h2 { font-size: 1.15rem; margin-top: 2.2rem; }
td, th { padding: .25rem .7rem .25rem 0; text-align: right; vertical-align: top; }
thead th { border-bottom: 1px solid #bbb; }
thead th:first-child, .text td, .text th { text-align: left; }
.text td, .text th { overflow-wrap: anywhere; min-width: 6rem; }
.finding { border-left: 5px solid #bbb; padding: .1rem .9rem; margin: .8rem 0; }
.warning { border-color: #e69f00; } .note { border-color: #56b4e9; }
.level { text-transform: uppercase; font-size: .75rem; letter-spacing: .05em; color: #555; }
figure { display: inline-block; margin: .3rem .5rem .3rem 0; vertical-align: top; }
figcaption { font-size: .72rem; color: #555; max-width: 132px; }
.bar { white-space: nowrap; } .bar svg { fill: #009e73; vertical-align: middle; }
.verdict { font-weight: 600; }
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Page:
    """The content of the page.

    Attributes:
      title: name of the dataset.
      dataset: the dataset.
      survey: its measurements.
      findings: of the audit.
      split: part -> names of its images.
      protocol: of the split.
    """

    title: str
    dataset: Dataset
    survey: Survey
    findings: Sequence[Finding]
    split: splits.Split
    protocol: str


def text_report(page: Page) -> str:
    """The report as plain text."""
    lines = [f"{page.title}: {_counts(page.survey)}", ""]
    lines += [
        f"  {row[0]:24s} " + "  ".join(f"{cell:>12s}" for cell in row[1:])
        for row in (_CLASS_HEAD, *class_rows(page.dataset, page.survey))
    ]
    lines += ["", f"  {'part':24s} {'images':>12s}  {'leakage groups':>14s}"]
    lines += [
        f"  {part:24s} {size['images']:12d}  {size['groups']:14d}"
        for part, size in leakage.sizes(page.split, page.dataset.groups).items()
    ]
    lines += [""]
    for finding in page.findings:
        lines += [f"{finding.level}: {finding.title}", f"  {finding.text}"]
    return "\n".join([*lines, verdict(page.findings)])


def verdict(findings: Sequence[Finding]) -> str:
    """Sentences that say that training may start, and how many warnings there are."""
    warnings = sum(finding.level == "warning" for finding in findings)
    return f"Training may start. {_counted(warnings, 'warning')}."


def _counts(survey: Survey) -> str:
    """The numbers of images, masks, and masks without an annotated pixel if there are any."""
    text = f"{_counted(len(survey.names), 'image')}, {survey.has_mask.sum()} with a mask"
    empty = int((survey.has_mask & ~survey.annotated).sum())
    return text + (f", {empty} of them with no annotated pixel" if empty else "")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


_CLASS_HEAD = ("class", "% of pixels", "images", "% of images")


def class_rows(dataset: Dataset, survey: Survey) -> list[tuple[str, str, str, str]]:
    """Name, percentage of the annotated pixels, images, percentage of the images with any."""
    pixels = survey.pixels[survey.annotated]
    annotated = max(int(pixels[:, :-1].sum()), 1)
    rows = []
    for label, name in enumerate(dataset.class_names):
        images = int((pixels[:, label] > 0).sum())
        rows.append(
            (
                name,
                f"{100 * pixels[:, label].sum() / annotated:.4f}",
                str(images),
                f"{100 * images / max(len(pixels), 1):.2f}",
            )
        )
    return rows


def render(page: Page) -> str:
    """The whole page."""
    body = [
        f"<p>{_counts(page.survey)}. "
        f'<span class="verdict">{html.escape(verdict(page.findings))}</span></p>',
        "<h2>Findings</h2>",
        *(_finding(page.dataset, finding) for finding in page.findings),
        "<h2>Classes</h2>",
        html_page.table(
            "Classes", _CLASS_HEAD, class_rows(page.dataset, page.survey), bar_column=1
        ),
        f"<h2>Parts, protocol <code>{html.escape(page.protocol)}</code></h2>",
        _parts(page),
        "<h2>Sizes</h2>",
        _sizes(page.survey),
        *_gallery(page),
    ]
    return html_page.document(_heading(page.title), _STYLE, body)


def render_refusal(title: str, error: Exception) -> str:
    """The page of a dataset on which training cannot start.

    Args:
      title: name of the dataset.
      error: the reason.
    """
    body = ['<p class="verdict">Training cannot start.</p>']
    if isinstance(error, DataError):
        rows = [(problem.path, problem.reason) for problem in error.problems]
        body += [f"<p>{_counted(len(rows), 'problem')} in the files:</p>"]
        table = html_page.table("Problems in the files", ("file", "problem"), rows)
        body += [f'<div class="text">{table}</div>']
        body += [f"<pre>{html.escape(error.remedy)}</pre>"]
    else:
        body += [f"<pre>{html.escape(str(error))}</pre>"]
    return html_page.document(_heading(title), _STYLE, body)


def _heading(title: str) -> str:
    return f"Audit of {title}"


def _finding(dataset: Dataset, finding: Finding) -> str:
    pictures = "".join(_figure(dataset, name) for name in finding.names[:_IMAGES_PER_FINDING])
    return (
        f'<div class="finding {finding.level}"><p><span class="level">{finding.level}</span> '
        f"<b>{html.escape(finding.title)}</b><br>{html.escape(finding.text)}</p>{pictures}</div>"
    )


def _parts(page: Page) -> str:
    """The table of the images, leakage groups, and images with each class, of every part."""
    index = {name: i for i, name in enumerate(page.survey.names)}
    used = {name for part in splits.PARTS for name in page.split[part]}
    rows = []
    for part, size in leakage.sizes(page.split, page.dataset.groups).items():
        names = page.split.get(part, [name for name in index if name not in used])
        pixels = page.survey.pixels[[index[name] for name in names]]
        counts = (pixels[:, 1:-1] > 0).sum(0) if len(pixels) else np.zeros(0, int)
        rows.append((part, str(size["images"]), str(size["groups"]), *map(str, counts.tolist())))
    head = ("part", "images", "leakage groups", *page.dataset.class_names[1:])
    return html_page.table("Parts", head, rows)


def _sizes(survey: Survey) -> str:
    counts = Counter((int(w), int(h)) for h, w in survey.sizes)
    rows = [(f"{w} x {h}", str(count)) for (w, h), count in counts.most_common(_MAX_SIZES)]
    if len(counts) > _MAX_SIZES:
        rows.append((f"{len(counts) - _MAX_SIZES} other sizes", ""))
    return html_page.table("Sizes", ("width x height", "images"), rows)


def _gallery(page: Page) -> list[str]:
    survey = page.survey
    shown = []
    for label, name in enumerate(page.dataset.class_names):
        contains = survey.pixels[:, label] > 0
        if label == 0:
            contains, name = survey.clean, "without a defect"
        rows = np.flatnonzero(contains)
        if len(rows):
            chosen = rows[np.unique(np.linspace(0, len(rows) - 1, _IMAGES_PER_CLASS).astype(int))]
            shown += [f"<h2>{html.escape(name)}</h2>", _figures(page, chosen)]
    order = np.argsort(survey.brightness, kind="stable")
    ends = [*order[: _IMAGES_PER_CLASS // 2], *order[-_IMAGES_PER_CLASS // 2 :]]
    return [*shown, "<h2>Darkest and brightest</h2>", _figures(page, ends)]


def _figures(page: Page, rows: Iterable[int]) -> str:
    return "".join(_figure(page.dataset, page.survey.names[row]) for row in rows)


def _figure(dataset: Dataset, name: str) -> str:
    part, index = dataset.position[name]
    example = dataset.records[part][index]
    picture = Image.fromarray(read_image(example["image"]))
    picture.thumbnail((_SIDE, _SIDE))
    if name in dataset.masked:
        mask = palette.shrunk(read_mask(example["mask"]), (picture.height, picture.width))
        picture = Image.fromarray(palette.overlay(np.asarray(picture), mask))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    data = base64.b64encode(file.getvalue()).decode()
    caption = html.escape(name)
    return (
        f'<figure><img alt="{caption}" src="data:image/jpeg;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
