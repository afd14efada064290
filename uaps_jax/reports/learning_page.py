"""The report of rounds of annotation as an HTML page."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from html import escape

from uaps_jax.evaluation import learning_curve
from uaps_jax.evaluation.learning_curve import Fit, Interval
from uaps_jax.reports import equivalence, html_page, study_page, table_texts
from uaps_jax.reports.curve_areas import Area, Difference
from uaps_jax.reports.learning_curves import Comparison, Question, advice


def render(
    title: str,
    found: Comparison,
    question: Question,
    figures: Sequence[str],
    failures: Sequence[str],
    notes: Sequence[str] = (),
) -> str:
    """The report as an HTML page.

    Args:
      title: of the page.
      found: its numbers.
      question: what it answers.
      figures: files beside the page.
      failures: runs that are missing, a line each.
      notes: further paragraphs.
    """
    baseline = question.baselines[0] if question.baselines else ""
    parts = [_areas_html(found.areas, question), table_texts.html(found.tables)]
    if baseline:
        heading = "Label equivalence"
        parts.append(equivalence.html(heading, found.equivalences, baseline, question.metric))
    parts.append(_fits_html(found.fits, question))
    which = "the best checkpoint on val" if question.checkpoint == "best" else "the last step"
    own = [f"Test scores in percent, of {which}.", *notes, *advice(found.fits, question)]
    captions = [("Scores over the labels", file) for file in figures]
    return study_page.render(title, "\n".join(filter(None, parts)), captions, failures, own)


def _areas_html(found: Sequence[Area], question: Question) -> str:
    if not found:
        return ""
    head = ("strategy", "runs", "area", *(f"minus {name}" for name in question.baselines))
    lines = []
    for one in found:
        spread = f" ± {statistics.stdev(one.values):.2f}" if len(one.values) > 1 else ""
        cells = [str(len(one.values)), f"{statistics.fmean(one.values):.2f}{spread}"]
        cells += [_shown(one.differences.get(name)) for name in question.baselines]
        lines.append((one.entry, *cells))
    caption = (
        f"Mean {question.metric} over the logarithm of the {question.unit}, in which each doubling "
        "counts the same: the area under the curve by its range. ±: standard deviation over the "
        "runs. Differences are paired by draw and seed, over the labels that both runs have, with "
        "the 95 % confidence interval of their mean by Student's t."
    )
    return _table("Area under the curve", head, lines, caption)


def _shown(difference: Difference | None) -> str:
    if difference is None:
        return "-"
    if difference.half is None:
        return f"{difference.mean:+.2f} (1 pair)"
    low, high = difference.mean - difference.half, difference.mean + difference.half
    return f"{difference.mean:+.2f} ({low:+.2f} to {high:+.2f})"


def _fits_html(fits: Mapping[str, Fit], question: Question) -> str:
    if not fits:
        return ""
    head = ["strategy", "m_inf", "b", "c", "foretold gain of a further round"]
    if question.target:
        head.append(f"{question.unit} for {question.target:g}")
    lines = []
    for entry, fit in fits.items():
        curve = fit.curve
        ends = learning_curve.interval([draw.limit for draw in fit.draws])
        cells = [f"{curve.limit:.1f} {_range(ends, 1)}", f"{curve.scale:.1f}"]
        cells.append(f"{curve.exponent:.2f}")
        gain, interval = fit.gain(fit.last, question.added)
        cells.append(f"{gain:.2f} {_range(interval, 2)}")
        if question.target:
            labels, interval = fit.labels_for(question.target)
            cells.append(f"{_number(labels)} {_range(interval, 0)}")
        lines.append((entry, *cells))
    caption = (
        "m(n) = m_inf - b n^-c through the mean scores on validation, by least squares; in "
        "parentheses the middle 95 % of a parametric bootstrap. A curve is a guess about labels "
        "beyond those that were tried. It decides when to stop, and is not fitted to scores on "
        "test, so that these stay independent of the decision."
    )
    return _table("Fitted curves", head, lines, caption)


def _number(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:.0f}"


def _range(interval: Interval, digits: int) -> str:
    low, high = ("never" if math.isinf(end) else f"{end:.{digits}f}" for end in interval)
    return f"({low} to {high})"


def _table(title: str, head: Sequence[str], lines: Sequence[Sequence[str]], caption: str) -> str:
    return (
        f'<div class="scores"><h3>{escape(title)}</h3>\n{html_page.table(title, head, lines)}\n'
        f'<p class="caption">{escape(caption)}</p></div>'
    )
