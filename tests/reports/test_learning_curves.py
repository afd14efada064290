"""The report of rounds: paired areas against an oracle, advice by hand, the page."""

import math
import statistics

import pytest
from PIL import Image
from scipy import stats

from uaps_jax.reports import learning_curves, learning_page
from uaps_jax.reports.learning_curves import Question

COUNTS = (8, 16, 32, 64, 128)
ENTRIES = ("hybrid", "random", "class_aware_random")
QUESTION = Question(
    metric="image_iou",
    checkpoint="latest",
    baselines=("random", "class_aware_random"),
    in_minutes=False,
    target=78.0,
    smallest_gain=0.5,
    added=64,
)
VAL_LIFT = 1.5
LIFT = {"hybrid": 3.0, "random": 0.0, "class_aware_random": 1.0}


def score(entry, seed, count):
    noise = 0.4 * math.sin(7 * seed + 3 * ENTRIES.index(entry) + count)
    return 80 - 100 * count**-0.6 + LIFT[entry] + 0.5 * seed + noise


def rows(seeds=(0, 1, 2), counts=COUNTS):
    return [
        {
            "entry": entry,
            "dataset": "neu_seg",
            "budget": f"round {number}",
            "round": number,
            "split_seed": seed,
            "seed": seed,
            "labeled": count,
            "labeled_groups": count,
            "minutes": 2.0 * count,
            "step": 800,
            "part": part,
            "image_iou": score(entry, seed, count) + added,
        }
        for part, added in (("test", 0.0), ("val", VAL_LIFT))
        for entry in ENTRIES
        for seed in seeds
        for number, count in enumerate(counts)
    ]


def trapezoid(entry, seed):
    """Doublings have equal widths: the mean with half weights at both ends."""
    values = [score(entry, seed, count) for count in COUNTS]
    return (values[0] / 2 + sum(values[1:-1]) + values[-1] / 2) / (len(COUNTS) - 1)


def test_areas_are_paired_by_seed_with_student_intervals():
    found = learning_curves.compare(rows(), ENTRIES, QUESTION)
    by_entry = {area.entry: area for area in found.areas}
    for entry in ENTRIES:
        expected = [trapezoid(entry, seed) for seed in range(3)]
        assert by_entry[entry].values == pytest.approx(expected)
        for baseline in QUESTION.baselines:
            if baseline == entry:
                assert baseline not in by_entry[entry].differences
                continue
            differences = [trapezoid(entry, s) - trapezoid(baseline, s) for s in range(3)]
            low, high = stats.t.interval(
                0.95, 2, statistics.fmean(differences), stats.sem(differences)
            )
            pairs, mean, half = by_entry[entry].differences[baseline]
            assert pairs == 3
            assert (mean - half, mean + half) == pytest.approx((low, high))


def test_a_run_without_its_last_round_has_no_area():
    some = [row for row in rows() if not (row["seed"] == 2 and row["round"] == 4)]
    found = learning_curves.compare(some, ENTRIES, QUESTION)
    assert {len(area.values) for area in found.areas} == {2}
    one = learning_curves.compare(rows((0,), (8,)), ENTRIES, QUESTION)
    assert (list(one.areas), one.fits) == ([], {})


def test_runs_of_unequal_minutes_are_compared_where_both_have_scores():
    """Both follow one curve, and one is cheaper: what they add at equal minutes is equal."""
    question = QUESTION._replace(in_minutes=True)

    def row(entry, number, minutes):
        of_round = {"entry": entry, "round": number, "budget": f"round {number}"}
        return (
            rows((0,))[0]
            | of_round
            | {
                "minutes": minutes,
                "labeled": 8 + number,
                "image_iou": 10 * math.log2(minutes),
            }
        )

    some = [row("random", number, 2.0**number) for number in range(5)]
    some += [row("hybrid", number, 3 * 2.0**number) for number in range(5)]
    found = learning_curves.compare(some, ENTRIES, question)
    area = next(area for area in found.areas if area.entry == "hybrid")
    assert area.differences["random"].mean == pytest.approx(0, abs=1e-9)
    assert not any(table.compared for table in found.tables)
    # A pool that is exhausted adds nothing: the round does not count.
    some.append(row("random", 5, 16.0) | {"labeled": 12})
    some.append(row("hybrid", 5, 96.0))
    found = learning_curves.compare(some, ENTRIES, question)
    area = next(area for area in found.areas if area.entry == "hybrid")
    assert area.differences["random"].mean == pytest.approx(0, abs=1e-9)


def test_equivalence_and_advice_answer_how_many_labels():
    found = learning_curves.compare(rows(), ENTRIES, QUESTION)
    first = [e for e in found.equivalences if e.entry == "hybrid"][1]
    assert first.labeled == pytest.approx(16)
    assert 16 < first.count < 32
    text = list(learning_curves.advice(found.fits, QUESTION))
    assert len(text) == 6
    assert text[0].startswith("hybrid: 64 images more are foretold to add ")
    fit = found.fits["random"]
    needed = fit.curve.labels_for(78) - 128
    assert f"random: you need about {needed:.0f} more images for image_iou 78" in text[3]
    reached = list(learning_curves.advice(found.fits, QUESTION._replace(target=60)))
    assert "hybrid: the fitted curve has reached image_iou 60" in reached
    never = list(learning_curves.advice(found.fits, QUESTION._replace(target=99)))
    assert "is not reached however many labels there are" in never[1]
    small = QUESTION._replace(smallest_gain=20.0, target=0)
    stop = list(learning_curves.advice(found.fits, small))
    assert "hybrid: stop here; a further round adds less than 20 points at best" in stop


def test_minutes_can_be_the_labels():
    question = QUESTION._replace(in_minutes=True)
    found = learning_curves.compare(rows(), ENTRIES, question)
    assert set(found.series["random"]) == {2.0 * count for count in COUNTS}
    assert list(found.equivalences) == []
    assert "minutes more" in next(learning_curves.advice(found.fits, question))


def test_validation_decides_when_to_stop_and_test_is_shown():
    found = learning_curves.compare(rows(), ENTRIES, QUESTION)
    last = {
        part: statistics.fmean(
            row["image_iou"]
            for row in rows()
            if (row["entry"], row["part"], row["round"]) == ("random", part, 4)
        )
        for part in ("test", "val")
    }
    assert found.fits["random"].curve(128) == pytest.approx(last["val"], abs=0.5)
    assert statistics.fmean(found.series["random"][128]) == pytest.approx(last["test"])
    assert found.tables[4].rows["random"]["image_iou"].mean == pytest.approx(last["test"])
    changed = [row | {"image_iou": 1.0} if row["part"] == "test" else row for row in rows()]
    other = learning_curves.compare(changed, ENTRIES, QUESTION)
    assert other.fits == found.fits
    older = [row for row in rows() if row["part"] == "test"]
    assert learning_curves.compare(older, ENTRIES, QUESTION).fits == {}


def test_the_page_and_the_figure(tmp_path):
    found = learning_curves.compare(rows(), ENTRIES, QUESTION)
    learning_curves.draw(found, QUESTION, "Rounds", tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.size[0] > 500
    page = learning_page.render("Rounds", found, QUESTION, ("curve.png",), ["seed 9: lost"], ())
    area = next(a for a in found.areas if a.entry == "hybrid")
    _, mean, half = area.differences["random"]
    assert f"<td>{mean:+.2f} ({mean - half:+.2f} to {mean + half:+.2f})</td>" in page
    for part in ("Fitted curves", "Label equivalence", "(round 4)", "seed 9: lost", "curve.png"):
        assert part in page
