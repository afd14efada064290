"""The HTML page of a queue, which contains its pictures."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from uaps_jax import palette
from uaps_jax.annotation_queue.entry import Entry
from uaps_jax.data.leakage import numbered
from uaps_jax.datasets.common import Problem
from uaps_jax.inference import files
from uaps_jax.reports import html_page

_SIDE = 384  # pixels of a picture's longer side
_QUALITY = 82  # of a JPEG
_UNSURE = np.array([237, 0, 217], np.float32)  # where the uncertainty is 1 nat or more

_STYLE = """
body { max-width: 80rem; }
h2 { font-size: 1.15rem; margin-top: 2rem; }
td, th { padding: .25rem .9rem .25rem 0; text-align: right; vertical-align: top; }
thead th { border-bottom: 1px solid #bbb; }
tbody th:first-child { text-align: right; }
.text td, .text th, tbody th, thead th:first-child { text-align: left; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; }
.facts dt { color: #555; } .facts dd { margin: 0; }
.class { display: inline-block; margin-right: .8em; }
.swatch { display: inline-block; width: .8em; height: .8em; margin-right: .35em;
          border: 1px solid #555; }
.image { margin: 1.6rem 0; padding-top: .6rem; border-top: 1px solid #ccc;
         content-visibility: auto; contain-intrinsic-size: auto 24rem; }
.image h3 { font-size: 1rem; margin: 0 0 .2rem; }
.image p { margin: .2rem 0; color: #444; }
.three { display: grid; gap: .6rem; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }
figure { margin: .3rem 0; }
figure img { display: block; width: 100%; height: auto; max-height: 26rem; object-fit: contain;
             object-position: left; }
figcaption { font-size: .85rem; color: #555; }
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Page:
    """The content of the page.

    Attributes:
      title: name of the input.
      facts: how the queue was made, name -> text.
      class_names: background first.
      entries: the images, by rank.
      problems: files that could not be predicted, and why.
      folder: with the pictures that `inference.files.write` wrote.
    """

    title: str
    facts: Mapping[str, str]
    class_names: Sequence[str]
    entries: Sequence[Entry]
    problems: Sequence[Problem]
    folder: Path


def summary(entries: Sequence[Entry]) -> str:
    """The number of images and the time that they take, as a sentence."""
    minutes = sum(entry.minutes for entry in entries)
    time = f"{minutes:.0f} minutes" if minutes < 100 else f"{minutes / 60:.1f} hours"
    return f"{numbered(len(entries), 'image')} to annotate, in an estimated {time}."


def render(page: Page) -> str:
    """The whole page."""
    rows = (f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in page.facts.items())
    body = [
        f"<p>{escape(summary(page.entries))} The same is in queue.csv and queue.jsonl.</p>",
        f'<dl class="facts">{"".join(rows)}</dl>',
        *_problems(page),
        "<h2>The queue</h2>",
        html_page.table("The queue", _head(page), map(_row, page.entries)),
        f"<h2>Images and proposals</h2><p>{_legend(page)}</p>",
        *(_image(page, entry) for entry in page.entries),
    ]
    return html_page.document(f"Images to annotate of {page.title}", _STYLE, body)


def _problems(page: Page) -> Iterator[str]:
    if page.problems:
        yield "<h2>Files that could not be predicted</h2>"
        table = html_page.table(
            "Files that could not be predicted", ("file", "reason"), page.problems
        )
        yield f'<div class="text">{table}</div>'


def _head(page: Page) -> list[str]:
    defects = (f"% {name}" for name in page.class_names[1:])
    return ["image", "rank", "score", "ambiguity", "disagreement", "distance", "minutes", *defects]


def _row(entry: Entry) -> list[str]:
    defects = [f"{100 * share:.2f}" for share in list(entry.shares.values())[1:]]
    return [entry.image, str(entry.rank), *_numbers(entry), f"{entry.minutes:.1f}", *defects]


def _numbers(entry: Entry) -> list[str]:
    """Score, ambiguity, disagreement and distance; a dash for what is not known."""
    numbers = (entry.score, entry.ambiguity, entry.disagreement, entry.distance)
    return ["-" if number is None else f"{number:.3f}" for number in numbers]


def _legend(page: Page) -> str:
    """The colours of the classes, and that of the uncertainty."""
    colours = palette.colour(np.arange(len(page.class_names)))[1:].tolist()
    named = [*zip(colours, page.class_names[1:], strict=True)]
    named.append((_UNSURE.astype(int).tolist(), "unsure, 1 nat and more"))
    return "".join(
        f'<span class="class"><span class="swatch" style="background:rgb({r},{g},{b})"></span>'
        f"{escape(name)}</span> "
        for (r, g, b), name in named
    )


def _image(page: Page, entry: Entry) -> str:
    score, ambiguity, disagreement, _ = _numbers(entry)
    defects = [
        f"{100 * share:.2f} % {name}" for name, share in list(entry.shares.items())[1:] if share
    ]
    facts = [
        f"score {score} (ambiguity {ambiguity}, disagreement {disagreement})",
        f"predicted: {', '.join(defects) or 'no defect'}",
        f"about {entry.minutes:.1f} minutes",
        *entry.notes,
    ]
    figures = "".join(
        f'<figure><img src="{_uri(picture)}" width="{picture.width}" height="{picture.height}" '
        f'alt="{escape(f"{what} of {entry.image}")}"><figcaption>{what}</figcaption></figure>'
        for what, picture in _pictures(page.folder, entry.name)
    )
    return (
        f'<article class="image"><h3>{entry.rank}. {escape(entry.image)}</h3>'
        f'<p>{escape("; ".join(facts))}</p><div class="three">{figures}</div></article>'
    )


def _pictures(folder: Path, name: str) -> Iterator[tuple[str, Image.Image]]:
    """Small pictures of an image, and what they show."""
    with Image.open(files.path(folder, "photograph", name, "jpg")) as file:
        file.draft("RGB", (_SIDE, _SIDE))
        small = file.convert("RGB")
    small.thumbnail((_SIDE, _SIDE))
    size = small.height, small.width
    yield "Image", small
    with Image.open(files.path(folder, "mask", name, "png")) as file:
        mask = palette.shrunk(np.asarray(file), size)
    yield "Proposal", Image.fromarray(palette.overlay(np.asarray(small), mask))
    with Image.open(files.path(folder, "uncertainty", name, "png")) as file:
        unsure = palette.shrunk(np.minimum(np.asarray(file), 254), size)
    share = unsure[..., None].astype(np.float32) / 254
    grey = np.asarray(small.convert("L"), np.float32)[..., None]
    tinted = np.round(grey * (1 - share) + _UNSURE * share).astype(np.uint8)
    yield "Uncertainty", Image.fromarray(tinted)


def _uri(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
