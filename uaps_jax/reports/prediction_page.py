"""The HTML page of a prediction: thumbnails that open to the image under its mask.

The pictures lie beside the page, as `inference.files.write` writes them. Without JavaScript, a
thumbnail leads to the picture of the image with its defects tinted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np

from uaps_jax import palette
from uaps_jax.data.leakage import numbered
from uaps_jax.inference.defects import Defect
from uaps_jax.inference.files import THUMBNAIL
from uaps_jax.inference.results import Result
from uaps_jax.reports import html_page, prediction_report
from uaps_jax.reports.prediction_report import Report

_SCRIPT = Path(__file__).with_suffix(".js")
_LISTED = 50  # the most defects of an image that the page lists

_STYLE = """
body { max-width: 80rem; }
h2 { font-size: 1.15rem; margin-top: 2rem; }
td, th { padding: .25rem .9rem .25rem 0; vertical-align: top; }
thead th { border-bottom: 1px solid #bbb; text-align: left; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; }
.facts dt { color: #555; } .facts dd { margin: 0; }
.swatch { display: inline-block; width: .8em; height: .8em; margin: 0 .35em 0 .8em;
          border: 1px solid #555; }
.class { display: inline-block; }
.filter { border: 0; padding: 0; margin: 1rem 0; }
.filter label { display: inline-block; padding: .4rem 1rem .4rem 0; }
.cards { list-style: none; padding: 0; display: grid; gap: .8rem;
         grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); }
.card[hidden] { display: none; }
.card { content-visibility: auto; contain-intrinsic-size: auto 13rem; }
.card a { display: block; height: 100%; box-sizing: border-box; padding: .45rem; color: inherit;
          text-decoration: none; border: 1px solid #ccc; border-radius: 4px; }
.card a:hover { border-color: #0072b2; }
.card img { display: block; width: 100%; height: 9rem; object-fit: contain; background: #eee; }
.card .name { display: block; margin-top: .35rem; font-size: .8rem; line-height: 1.3; }
.card .verdict { display: block; font-size: .85rem; font-weight: 600; }
.card[data-kind="not OK"] a { border-left: 5px solid #d55e00; }
.card[data-kind="OK"] a { border-left: 5px solid #009e73; }
.card .about { display: block; font-size: .8rem; color: #555; }
a:focus-visible, button:focus-visible, input:focus-visible, [tabindex]:focus-visible
  { outline: 3px solid #0072b2; outline-offset: 2px; }
dialog { box-sizing: border-box; width: min(96vw, 76rem); max-width: none; max-height: 96vh;
         padding: .8rem 1rem; border: 1px solid #888; border-radius: 6px; overflow: auto;
         color: inherit; background: #fff; }
dialog::backdrop { background: rgb(0 0 0 / .6); }
dialog h2 { margin: 0; font-size: 1.05rem; }
.bar { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: .5rem 0; }
button { font: inherit; min-height: 2.4rem; padding: .2rem .9rem; color: inherit;
         background: #f2f2f2; border: 1px solid #888; border-radius: 4px; cursor: pointer; }
.layers { border: 0; padding: 0; margin: .4rem 0; display: flex; flex-wrap: wrap;
          gap: .2rem 1.2rem; }
.layers label { display: flex; align-items: center; gap: .4rem; min-height: 2rem; }
.stage { overflow: auto; max-height: 68vh; background: #eee; }
.sheet { position: relative; margin: auto; width: min(100%, var(--fitted)); }
.sheet.own { width: var(--own-width); margin: 0; }
.sheet img { position: absolute; inset: 0; width: 100%; height: 100%; }
.sheet .layer { display: none; opacity: var(--strength); }
.sheet.mask .layer.mask, .sheet.uncertainty .layer.uncertainty { display: block; }
.sheet .layer.mask { image-rendering: pixelated; }
.sheet .layer.uncertainty { filter: url(#unsure); opacity: 1; }
.frames { display: none; } .sheet.framed .frames { display: block; }
.frame { position: absolute; box-sizing: content-box; margin: -5px; padding: 3px;
         border: 2px solid var(--colour); outline: 1px solid #fff; pointer-events: none; }
.frame::before { content: attr(data-number); position: absolute; left: -2px; bottom: 100%;
                 padding: 0 .3em; font-size: .75rem; line-height: 1.3; color: #000;
                 white-space: nowrap; background: #fff; }
.filters { position: absolute; width: 0; height: 0; }
"""

_VIEWER = """<dialog id="viewer" aria-labelledby="viewer-title">
<h2 id="viewer-title" data-part="title"></h2>
<p class="about" data-part="facts"></p>
<div class="bar"><button type="button" data-part="before">Previous</button>
<button type="button" data-part="after">Next</button>
<span data-part="place" role="status"></span>
<button type="button" data-part="close">Close</button></div>
<div class="stage" data-part="stage" tabindex="0" role="group" aria-label="Image">
<div class="sheet" data-part="sheet">
<img data-part="photograph" alt="" src="data:,">
<img class="layer mask" data-part="mask" alt="" src="data:,">
<img class="layer uncertainty" data-part="uncertainty" alt="" src="data:,">
<div class="frames" data-part="frames" aria-hidden="true"></div>
</div></div>
<fieldset class="layers"><legend>On the image</legend>
<label><input type="checkbox" data-layer="mask" checked>mask</label>
<label><input type="checkbox" data-layer="framed" checked>frames</label>
<label><input type="checkbox" data-layer="uncertainty">where the prediction is unsure</label>
<label><input type="checkbox" data-layer="own">own size</label>
<label>strength of the mask<input type="range" min="0" max="100" value="55" data-part="strength">
</label></fieldset>
<div data-part="defects">TABLE</div>
<p data-part="more"></p>
<p>Open alone: <a data-part="overlay-link" href="overlay">image with mask</a>,
<a data-part="mask-link" href="mask">mask</a></p>
</dialog>
<svg class="filters" aria-hidden="true"><filter id="unsure" color-interpolation-filters="sRGB">
<feColorMatrix values="0 0 0 0 .93  0 0 0 0 0  0 0 0 0 .85  1 0 0 0 0"/></filter></svg>"""


def render(report: Report) -> str:
    """The whole page."""
    body = [
        f"<p>{' '.join(map(escape, prediction_report.summary(report)))}</p>",
        _facts(report),
        *_problems(report),
        f'<p>Every defect is in <a href="report.csv">report.csv</a>. Classes:{_legend(report)}</p>',
        "<h2>Images, the highest score first</h2>",
        *_filter(report),
        f'<ul class="cards">{"".join(_card(report, result) for result in report.results)}</ul>',
        _VIEWER.replace("TABLE", _defect_table(report)),
        f'<script type="application/json" id="data">{_data(report)}</script>',
        f"<script>{_SCRIPT.read_text()}</script>",
    ]
    return html_page.document(f"Report of {report.title}", _STYLE, body)


def _facts(report: Report) -> str:
    rows = (
        f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in report.facts.items()
    )
    return f'<dl class="facts">{"".join(rows)}</dl>'


def _problems(report: Report) -> Iterator[str]:
    if report.problems:
        yield "<h2>Files that could not be predicted</h2>"
        yield html_page.table(
            "Files that could not be predicted", ("file", "reason"), report.problems
        )


def _colour(label: int) -> str:
    red, green, blue = palette.colour(np.array([label]))[0].tolist()
    return f"#{red:02x}{green:02x}{blue:02x}"


def _legend(report: Report) -> str:
    return "".join(
        f'<span class="class"><span class="swatch" style="background:{_colour(label)}"></span>'
        f"{escape(name)}</span> "
        for label, name in enumerate(report.class_names)
        if label
    )


def _filter(report: Report) -> Iterator[str]:
    """The choice of the images that are shown, by their verdict."""
    if report.decision is not None:
        choices = "".join(
            f'<label><input type="radio" name="shown" value="{value}"'
            f"{' checked' * (not value)}>{value or 'all'}</label>"
            for value in ("", "not OK", "OK")
        )
        yield f'<fieldset class="filter"><legend>Shown images</legend>{choices}</fieldset>'


def _card(report: Report, result: Result) -> str:
    kind = result.verdict
    address, overlay = (
        quote(f"{picture}/{result.name}.{suffix}")
        for picture, suffix in (("thumbnail", "jpg"), ("overlay", "png"))
    )
    height, width = result.size
    scale = min(1, THUMBNAIL / max(height, width))
    sides = f'width="{max(round(width * scale), 1)}" height="{max(round(height * scale), 1)}"'
    return (
        f'<li class="card" data-kind="{kind}"><a href="{overlay}">'
        f'<img src="{address}" {sides} alt="" loading="lazy">'
        f'<span class="name">{escape(result.file)}</span>'
        f'<span class="verdict">{_judged(result)}</span>'
        f'<span class="about">{escape(_found(report, result))}</span></a></li>'
    )


def _judged(result: Result) -> str:
    """The verdict and the score of an image."""
    words = (result.verdict, f"score {prediction_report.score(result)}")
    return ", ".join(word for word in words if word)


def _found(report: Report, result: Result) -> str:
    """What was found in an image, in a few words."""
    if not result.defects:
        return "no defect"
    names = dict.fromkeys(report.class_names[defect.label] for defect in result.defects)
    count = len(result.defects) + result.left_out
    return f"{numbered(count, 'defect')}: {', '.join(names)}"


def _defect_table(report: Report) -> str:
    unit = "px" if report.mm_per_pixel is None else "mm"
    head = ("defect", "class", f"area, {unit}²", f"largest width, {unit}", f"length, {unit}")
    titles = "".join(f'<th scope="col">{escape(text)}</th>' for text in head)
    table = f'<table><thead><tr>{titles}</tr></thead><tbody data-part="rows"></tbody></table>'
    return html_page.scroll_region("Defects of the image", table)


def _row(number: int, defect: Defect, report: Report) -> list[str]:
    scale = report.mm_per_pixel
    sizes = (
        (f"{defect.area}", f"{defect.largest_width:.1f}", f"{defect.length:.1f}")
        if scale is None
        else (
            f"{defect.area * scale**2:.4g}",
            f"{defect.largest_width * scale:.4g}",
            f"{defect.length * scale:.4g}",
        )
    )
    return [str(number), report.class_names[defect.label], *sizes]


def _data(report: Report) -> str:
    """What the script shows, as JSON that can stand in a page."""
    images = []
    for result in report.results:
        height, width = result.size
        listed = result.defects[:_LISTED]
        left = len(result.defects) - len(listed)
        images.append(
            {
                "name": result.name,
                "file": result.file,
                "facts": "; ".join([_judged(result), f"{width} x {height} px", *result.notes]),
                "width": width,
                "height": height,
                "defects": [[defect.label, *defect.box] for defect in listed],
                "rows": [_row(number, defect, report) for number, defect in enumerate(listed, 1)],
                "more": f"{numbered(left, 'smaller defect')} in report.csv" if left else "",
            }
        )
    colours = [_colour(label) for label in range(len(report.class_names))]
    text = json.dumps({"images": images, "colours": colours}, separators=(",", ":"))
    return text.replace("<", "\\u003c")
