"""The audit as a page: one HTML file, pictures inside, that needs nothing else."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from uaps_jax.data import leakage, splits
from uaps_jax.data.findings import Finding
from uaps_jax.data.source import Dataset
from uaps_jax.data.survey import Survey
from uaps_jax.datasets.common import DataError, read_image, read_mask
from uaps_jax.inference import palette

_SIDE = 132  # pixels of a thumbnail's longer side
_PER_CLASS = 6
_PER_FINDING = 8
_MOST_SIZES = 12

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 66rem;
       padding: 0 1rem; color: #222; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; } td, th { padding: .25rem .7rem .25rem 0; text-align: right; }
td:first-child, th:first-child, .share { text-align: left; }
thead th { border-bottom: 1px solid #bbb; }
.finding { border-left: 5px solid #bbb; padding: .1rem .9rem; margin: .8rem 0; }
.warning { border-color: #e69f00; } .note { border-color: #56b4e9; }
.level { text-transform: uppercase; font-size: .75rem; letter-spacing: .05em; color: #555; }
figure { display: inline-block; margin: .3rem .5rem .3rem 0; vertical-align: top; }
figcaption { font-size: .72rem; color: #555; max-width: 132px; overflow-wrap: anywhere; }
.bar { display: inline-block; height: .7rem; background: #009e73; vertical-align: middle; }
.verdict { font-weight: 600; }
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Page:
    """What the page shows.

    Attributes:
      title: of the dataset.
      dataset: the dataset.
      survey: its measurements.
      findings: of the audit.
      split: who would see which image.
      protocol: by which protocol.
    """

    title: str
    dataset: Dataset
    survey: Survey
    findings: Sequence[Finding]
    split: splits.Split
    protocol: str


def text_report(page: Page) -> str:
    """The report as lines for a terminal."""
    lines = [f"{page.title}: {len(page.survey.names)} images", ""]
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
    """Whether training may start, in a sentence."""
    warnings = sum(finding.level == "warning" for finding in findings)
    return f"Training may start. {warnings} warnings."


_CLASS_HEAD = ("class", "% of pixels", "images", "% of images")


def class_rows(dataset: Dataset, survey: Survey) -> list[tuple[str, str, str, str]]:
    """Name, share of labeled pixels, images, share of images with a mask: a row a class."""
    pixels = survey.pixels[survey.has_mask]
    labeled = max(int(pixels[:, :-1].sum()), 1)
    rows = []
    for label, name in enumerate(dataset.class_names):
        images = int((pixels[:, label] > 0).sum())
        rows.append(
            (
                name,
                f"{100 * pixels[:, label].sum() / labeled:.4f}",
                str(images),
                f"{100 * images / max(len(pixels), 1):.2f}",
            )
        )
    return rows


def render(page: Page) -> str:
    """The whole page."""
    body = [
        f"<h1>{html.escape(page.title)}</h1>",
        f"<p>{len(page.survey.names)} images, {int(page.survey.has_mask.sum())} with a mask. "
        f'<span class="verdict">{html.escape(verdict(page.findings))}</span></p>',
        "<h2>Findings</h2>",
        *(_finding(page.dataset, finding) for finding in page.findings),
        "<h2>Classes</h2>",
        _table(_CLASS_HEAD, class_rows(page.dataset, page.survey), bar_column=1),
        f"<h2>Parts, protocol <code>{html.escape(page.protocol)}</code></h2>",
        _parts(page),
        "<h2>Sizes</h2>",
        _sizes(page.survey),
        *_gallery(page),
    ]
    return document(page.title, body)


def render_refusal(title: str, error: Exception) -> str:
    """The page where training could not start, for bad files or other reasons."""
    body = [f"<h1>{html.escape(title)}</h1>", '<p class="verdict">Training cannot start.</p>']
    if isinstance(error, DataError):
        rows = [(problem.path, problem.reason) for problem in error.problems]
        body += [f"<p>{len(rows)} problems in the files:</p>"]
        body += [_table(("where", "what is wrong"), rows)]
        body += [f"<pre>{html.escape(error.remedy)}</pre>"]
    else:
        body += [f"<pre>{html.escape(str(error))}</pre>"]
    return document(title, body)


def document(title: str, body: Iterable[str]) -> str:
    """An HTML document with this body."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _finding(dataset: Dataset, finding: Finding) -> str:
    pictures = "".join(_figure(dataset, name) for name in finding.names[:_PER_FINDING])
    return (
        f'<div class="finding {finding.level}"><p><span class="level">{finding.level}</span> '
        f"<b>{html.escape(finding.title)}</b><br>{html.escape(finding.text)}</p>{pictures}</div>"
    )


def _parts(page: Page) -> str:
    """Images, leakage groups, and images of each class: a row a part."""
    index = {name: i for i, name in enumerate(page.survey.names)}
    used = {name for part in splits.PARTS for name in page.split[part]}
    rows = []
    for part, size in leakage.sizes(page.split, page.dataset.groups).items():
        names = page.split.get(part, [name for name in index if name not in used])
        pixels = page.survey.pixels[[index[name] for name in names]]
        counts = (pixels[:, 1:-1] > 0).sum(0) if len(pixels) else np.zeros(0, int)
        rows.append((part, str(size["images"]), str(size["groups"]), *map(str, counts.tolist())))
    return _table(("part", "images", "leakage groups", *page.dataset.class_names[1:]), rows)


def _sizes(survey: Survey) -> str:
    counts = Counter((int(w), int(h)) for h, w in survey.sizes)
    rows = [(f"{w} x {h}", str(count)) for (w, h), count in counts.most_common(_MOST_SIZES)]
    if len(counts) > _MOST_SIZES:
        rows.append((f"{len(counts) - _MOST_SIZES} other sizes", ""))
    return _table(("width x height", "images"), rows)


def _gallery(page: Page) -> list[str]:
    survey = page.survey
    shown = []
    for label, name in enumerate(page.dataset.class_names):
        own = survey.pixels[:, label] > 0
        if label == 0:
            own = survey.has_mask & (survey.pixels[:, 1:-1].sum(1) == 0)
            name = "without a defect"
        rows = np.flatnonzero(own)
        if len(rows):
            chosen = rows[np.unique(np.linspace(0, len(rows) - 1, _PER_CLASS).astype(int))]
            shown += [f"<h2>{html.escape(name)}</h2>", _figures(page, chosen)]
    order = np.argsort(survey.brightness, kind="stable")
    ends = [*order[: _PER_CLASS // 2], *order[-_PER_CLASS // 2 :]]
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


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], bar_column: int = -1) -> str:
    def cell(column: int, text: str) -> str:
        if column != bar_column:
            return f"<td>{html.escape(text)}</td>"
        return (
            f'<td>{html.escape(text)} <span class="bar" style="width:{float(text)}px"></span></td>'
        )

    lines = [
        "<tr>" + "".join(cell(i, text) for i, text in enumerate(row)) + "</tr>" for row in rows
    ]
    titles = "".join(f"<th>{html.escape(text)}</th>" for text in head)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
