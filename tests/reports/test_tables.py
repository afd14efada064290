"""Scores over the runs and differences to the baseline, against numbers worked by hand."""

import pytest

from uaps_jax.reports import table_texts, tables

RATE = "clean_image_false_positive_rate"


def row(entry, seed, iou, *, dataset="neu", ratio=0.1, draw=45, labeled=16, groups=None, **more):
    place = {"dataset": dataset, "entry": entry, "split_seed": draw, "seed": seed}
    budget = {"labeled": labeled, "labeled_groups": groups, "budget": f"labeled_ratio {ratio:g}"}
    return {**place, **budget, "step": 500, "iou": iou, **more}


def runs(entry, *scores, **more):
    return [row(entry, seed, score, **more) for seed, score in enumerate(scores)]


def only(rows, entries=("base", "new", "other"), metrics=("iou",)):
    (table,) = tables.tables(rows, entries, metrics, "base")
    return table


def test_mean_deviation_and_paired_interval_by_hand():
    # Differences 1, 2, 3: mean 2, sd 1, t(0.975, 2) = 4.302653, half width 4.302653 / sqrt(3).
    table = only(runs("base", 70.0, 60.0, 65.0) + runs("new", 71.0, 62.0, 68.0))
    base, new = table.rows["base"]["iou"], table.rows["new"]["iou"]
    assert (base.count, base.mean, base.deviation) == (3, 65.0, 5.0)
    assert (base.pairs, base.difference, base.interval, base.best) == (0, None, None, False)
    assert new.mean == pytest.approx(67.0)
    assert new.deviation == pytest.approx(21**0.5)  # (16 + 25 + 1) / 2
    assert (new.pairs, new.best) == (3, True)
    assert new.difference == pytest.approx(2.0)
    assert new.interval == pytest.approx(2.48414, abs=1e-5)


def test_half_width_of_two():
    # t(0.975, 1) = 12.7062; of 1 and 3 the sd is sqrt(2), which sqrt(n) cancels.
    assert tables.half_width([1.0, 3.0]) == pytest.approx(12.7062, abs=1e-4)


def test_only_common_runs_are_paired():
    rows = [row("base", 0, 50.0), row("base", 1, 60.0), row("base", 2, 70.0)]
    rows += [row("new", 2, 71.0), row("new", 1, 63.0), row("new", 7, 99.0), row("new", 8, 99.0)]
    new = only(rows).rows["new"]["iou"]
    assert (new.count, new.mean, new.pairs, new.difference) == (4, 83.0, 2, 2.0)
    assert new.interval == pytest.approx(12.7062, abs=1e-4)
    assert "+2.00 ± 12.71 (2 pairs)" in table_texts.markdown([only(rows)])


def test_single_pair_and_no_common_run():
    rows = [*runs("base", 60.0, 70.0), row("new", 1, 68.8), row("other", 5, 90.0)]
    table = only(rows)
    new, other = table.rows["new"]["iou"], table.rows["other"]["iou"]
    assert (new.pairs, new.deviation, new.interval) == (1, None, None)
    assert new.difference == pytest.approx(-1.2)
    assert (other.pairs, other.difference, other.interval) == (0, None, None)
    text = table_texts.markdown([table])
    assert "| new | 1 | 68.80 | -1.20 (1 pair) |" in text
    assert "| other | 1 | **90.00** | no common run |" in text
    assert "| base | 2 | 65.00 ± 7.07 (2) | baseline |" in text


def test_ties_share_the_best_whatever_the_order_of_runs():
    rows = runs("base", 0.1, 0.2, 0.3) + runs("new", 0.3, 0.2, 0.1) + runs("other", 0.1, 0.1, 0.3)
    best = {name: columns["iou"].best for name, columns in only(rows).rows.items()}
    assert best == {"base": True, "new": True, "other": False}


def test_fewest_false_positives_are_best():
    rows = [row("base", 0, 70.0, **{RATE: 3.0}), row("new", 0, 71.0, **{RATE: 4.0})]
    table = only(rows, metrics=("iou", RATE))
    assert [table.rows[name]["iou"].best for name in ("base", "new")] == [False, True]
    assert [table.rows[name][RATE].best for name in ("base", "new")] == [True, False]
    assert f"of {RATE} the lowest" in table_texts.caption(table)


def test_what_cannot_be_measured_counts_nowhere():
    rows = runs("base", None, 60.0, 70.0) + runs("new", 99.0, float("nan"), 71.5)
    rows += runs("other", None, None)
    table = only(rows)
    base, new, other = (table.rows[name]["iou"] for name in ("base", "new", "other"))
    assert (base.count, base.mean) == (2, 65.0)
    assert (new.count, new.mean, new.pairs, new.difference) == (2, 85.25, 1, 1.5)
    assert (other.count, other.mean, other.best) == (0, None, False)
    assert table.runs == {"base": 3, "new": 3, "other": 2}
    assert "| other | 2 | n/a | n/a |" in table_texts.markdown([table])
    assert "could not be measured" in table_texts.caption(table)
    lonely = only(runs("new", None, 3.0))
    assert "| new | 2 | **3.00 (1)** |" in table_texts.markdown([lonely])


def test_all_entries_unmeasured_have_no_best():
    table = only(runs("base", None) + runs("new", None))
    assert not any(columns["iou"].best for columns in table.rows.values())


def test_one_table_a_dataset_and_budget_entries_in_the_given_order():
    rows = [
        row("new", 0, 1.0, dataset="synthetic", ratio=0.5, labeled=9),
        row("new", 1, 1.0, dataset="synthetic", ratio=0.5, labeled=7),
        row("new", 0, 2.0),
        row("base", 0, 3.0),
        row("new", 0, 4.0, ratio=0.2, labeled=32),
        row("hidden", 0, 5.0, ratio=0.9),
    ]
    result = tables.tables(rows, ("base", "absent", "new"), ("iou",), "base")
    assert [(t.dataset, t.budget, t.labeled, tuple(t.rows)) for t in result] == [
        ("synthetic", "labeled_ratio 0.5", "7 to 9 labeled images", ("new",)),
        ("neu", "labeled_ratio 0.1", "16 labeled images", ("base", "new")),
        ("neu", "labeled_ratio 0.2", "32 labeled images", ("new",)),
    ]
    assert result[1].title == "neu, 16 labeled images (labeled_ratio 0.1)"
    assert "7 to 9 labeled images; 2 runs an entry" in table_texts.caption(result[0])
    assert [t.compared for t in result] == [False, True, False]
    assert "difference" not in table_texts.markdown(result[:1]) + table_texts.html(result[:1])


def test_labeled_images_are_counted_with_their_leakage_groups():
    rows = [
        row("new", 0, 1.0, labeled=32, groups=8, budget="labeled_count 30"),
        row("new", 1, 2.0, labeled=30, groups=9, budget="labeled_count 30"),
        row("base", 0, 1.0, labeled=1, groups=1, budget="labeled_count 30"),
    ]
    assert only(rows[:2], entries=("new",)).title == (
        "neu, 30 to 32 labeled images of 8 to 9 leakage groups (labeled_count 30)"
    )
    result = only(rows[1:])
    assert "; 1 to 30 labeled images of 1 to 9 leakage groups; 1 run an" in table_texts.caption(
        result
    )
    one = tables.labeled_text([rows[2]])
    assert one == "1 labeled image of 1 leakage group"
    # Of a training of before it is not known.
    assert tables.labeled_text([rows[0], row("base", 1, 2.0)]) == "16 to 32 labeled images"


def test_a_baseline_that_is_not_shown_is_compared_with():
    rows = runs("base", 1.0) + runs("new", 3.0)
    assert only(rows, entries=("new",)).rows["new"]["iou"].difference == 2.0


def test_runs_are_paired_by_draw_and_seed():
    rows = [
        *(row("base", seed, 10.0 * draw + seed, draw=draw) for draw in (1, 2) for seed in (0, 1)),
        row("new", 1, 14.0, draw=1),
        row("new", 0, 25.0, draw=2),
        row("new", 0, 99.0, draw=3),
    ]
    summary = only(rows).rows["new"]["iou"]
    assert (summary.count, summary.pairs, summary.difference) == (3, 2, 4.0)  # of 3 and 5


def test_the_same_training_twice_is_refused():
    rows = [row("new", 3, 1.0), row("base", 3, 1.0), row("new", 3, 2.0)]
    with pytest.raises(ValueError, match=r"labeled_ratio 0\.1, draw 45, seed 3: appears twice"):
        tables.tables(rows, ("base", "new"), ("iou",), "base")
    different = [row("new", 3, 1.0), row("new", 3, 2.0, ratio=0.2), row("new", 4, 2.0)]
    assert len(tables.tables(different, ("new",), ("iou",), "base")) == 2


def test_a_metric_that_no_row_has_is_refused():
    with pytest.raises(ValueError, match="seed 0: no dice"):
        tables.tables([row("new", 0, 1.0)], ("new",), ("iou", "dice"), "base")
