"""Label equivalence against numbers worked by hand."""

import math

import pytest
from PIL import Image

from uaps_jax.reports import equivalence
from uaps_jax.reports.study_figures import equivalence as drawing

# Scores of the baseline at 8, 16, 64 labels, one draw of labels a seed.
BASELINE = {0: {8: 40.0, 16: 50.0, 64: 60.0}, 1: {8: 30.0, 16: 50.0, 64: 70.0}}


def row(entry, seed, labeled, iou):
    run = {"entry": entry, "split_seed": seed, "seed": seed}
    return run | {"budget": f"labeled_count {labeled}", "labeled": labeled, "iou": iou}


def baseline():
    return [
        row("base", seed, labeled, score)
        for seed, curve in BASELINE.items()
        for labeled, score in curve.items()
    ]


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (40.0, (8, "")),
        (45.0, (math.sqrt(8 * 16), "")),
        (50.0, (16, "")),
        (55.0, (32, "")),
        (60.0, (64, "")),
        (60.1, (64, "at least")),
        (39.9, (8, "at most")),
    ],
)
def test_inverse_interpolates_over_the_logarithm(score, expected):
    count, bound = equivalence.inverse(BASELINE[0], score)
    assert (count, bound) == (pytest.approx(expected[0]), expected[1])


def test_a_curve_that_falls_is_made_monotone():
    # Isotonic regression of 40, 60, 50, 70: 40, 55, 55, 70.
    curve = {1: 40.0, 10: 60.0, 100: 50.0, 1000: 70.0}
    assert equivalence.inverse(curve, 55.0)[0] == pytest.approx(10)
    assert equivalence.inverse(curve, 62.5)[0] == pytest.approx(10**2.5)


def test_runs_are_averaged_as_logarithms():
    rows = [*baseline(), row("new", 0, 8, 50.0), row("new", 1, 8, 60.0), row("new", 7, 8, 99.0)]
    (found,) = equivalence.equivalences(rows, ("new",), "iou", "base")
    # 16 and 32 labels; seed 7 has no baseline.
    assert (found.labeled, found.runs, found.bound) == (pytest.approx(8), 2, "")
    assert found.count == pytest.approx(16 * math.sqrt(2))
    assert found.factor == pytest.approx(2 * math.sqrt(2))
    half = 12.7062 * math.log(2) / 2  # t(0.975, 1) s / sqrt(2)
    assert found.interval == pytest.approx(
        (found.count / math.exp(half), found.count * math.exp(half)), rel=1e-4
    )


def test_bounds_are_said_and_a_single_run_has_no_interval():
    rows = [*baseline(), row("new", 0, 16, 99.0)]
    found = equivalence.equivalences(rows, ("new", "absent"), "iou", "base")
    text = equivalence.markdown("Labels", found, "base", "iou")
    assert "### Labels" in text
    assert "| new | 16 | 1 | at least 64 | - | at least 4.0 |" in text
    both = [*rows, row("new", 1, 16, 99.0)]
    (found_both,) = equivalence.equivalences(both, ("new",), "iou", "base")
    assert (found_both.runs, found_both.interval) == (2, None)
    mixed = [*rows, row("new", 1, 16, 0.0)]
    (found_mixed,) = equivalence.equivalences(mixed, ("new",), "iou", "base")
    assert found_mixed.bound == "bounded"
    page = equivalence.html("Labels", found, "base", "iou")
    assert "<td>at least 64</td>" in page
    assert (
        equivalence.markdown("", [], "base", "iou") == equivalence.html("", [], "base", "iou") == ""
    )


def test_an_entry_whose_labels_differ_by_draw_is_one_row():
    rows = [*baseline(), row("new", 0, 8, 50.0), row("new", 1, 8, 60.0) | {"labeled": 9}]
    (found,) = equivalence.equivalences(rows, ("new",), "iou", "base")
    assert found.labeled == pytest.approx(math.sqrt(72))


def test_names_are_escaped():
    rows = [*baseline(), row("<b>|", 0, 8, 45.0)]
    found = equivalence.equivalences(rows, ("<b>|",), "iou", "base")
    assert "&lt;b&gt;\\|" in equivalence.markdown("Labels", found, "base", "iou")
    assert "&lt;b&gt;|" in equivalence.html("Labels", found, "base", "iou")


def test_metrics_that_should_fall_are_refused():
    with pytest.raises(ValueError, match="clean_image_false_positive_rate"):
        equivalence.equivalences([], ("new",), "clean_image_false_positive_rate", "base")


def test_the_figure_is_drawn(tmp_path):
    rows = [*baseline(), row("new", 0, 8, 50.0), row("new", 1, 8, 99.0)]
    found = equivalence.equivalences(rows, ("new",), "iou", "base")
    series = {"base": {8: [40.0, 30.0], 16: [50.0], 64: [60.0, 70.0]}, "new": {8: [50.0, 99.0]}}
    drawing.draw("Labels", "iou, %", series, found, tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as picture:
        assert picture.width > 500
