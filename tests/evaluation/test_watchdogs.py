"""Warnings of the watchdogs, and the reports that show them."""

import json
import math

import jax.numpy as jnp
import pytest

from tests import tiny
from tests.training.test_loop import frozen, run
from uaps_jax.evaluation import watchdogs
from uaps_jax.methods import teacher
from uaps_jax.training import loop, workdir

NAMES = ("background", "scratch", "dent")


def measured(background, scratch, dent):
    kept = dict(zip(NAMES, (background, scratch, dent), strict=True))
    return {"kept": sum(kept.values()), **{f"kept/{k}": v for k, v in kept.items()}}


EXPECTED = {"background": 90.0, "scratch": 8.0, "dent": 2.0}


def test_a_class_without_pseudo_labels_is_reported_once_after_three_evaluations():
    watch = watchdogs.PseudoLabels(EXPECTED)
    healthy, starving = measured(80.0, 8.0, 1.0), measured(80.0, 8.0, 0.1)
    output = [watch.warnings(m) for m in (starving, starving, healthy, starving, starving)]
    assert output == [[]] * 5
    (warning,) = watch.warnings(starving)
    assert "class dent starves, 0.11 % of the kept pixels against 2 %" in warning
    assert watch.warnings(starving) == []
    assert watch.warnings(healthy) == ["pseudo-labels: class dent has recovered, 1.1 %"]
    assert watch.warnings(healthy) == []


def test_collapse_and_no_kept_pixels_are_reported():
    watch = watchdogs.PseudoLabels(EXPECTED)
    output = [watch.warnings(measured(99.0, 0.1, 0.0)) for _ in range(3)]
    assert output[:2] == [[], []]
    assert any("collapsed to the background" in text for text in output[2])
    watch = watchdogs.PseudoLabels(EXPECTED)
    output = [watch.warnings(measured(0.0, 0.0, 0.0)) for _ in range(3)]
    assert any("no pixel is kept" in text for text in output[2])


def test_a_class_without_labeled_pixels_is_not_watched():
    watch = watchdogs.PseudoLabels(EXPECTED | {"dent": 0.0})
    output = [watch.warnings(measured(90.0, 9.0, 0.0)) for _ in range(4)]
    assert output == [[]] * 4


def scores(*values):
    watch = watchdogs.ValidationScore("image_dice")
    return [watch.warnings({"image_dice": value}) for value in values]


def test_a_score_that_does_not_change_is_reported_once():
    *before, output, after = scores(10.0, 33.3, 33.3, 33.3, 33.3, 33.3)
    assert before == [[]] * 4
    assert output == [
        "validation: image_dice has been 33.3 at 4 evaluations in a row: the network may give the "
        "same class everywhere"
    ]
    assert after == []


def test_a_score_that_stays_at_zero_is_reported():
    assert scores(0.0, 0.0, 0.0, 0.0)[-1]


def test_a_score_that_falls_to_half_of_its_best_is_reported_once():
    *before, output, after = scores(60.0, 29.0, 28.0, 31.0, 20.0, 19.0, 18.0, 17.0)
    assert before == [[]] * 6
    assert output == ["validation: image_dice has fallen to 18, from 60"]
    assert after == []


def test_a_perfect_score_and_one_that_was_never_good_are_not_watched():
    assert scores(*[100.0] * 6) == [[]] * 6
    assert scores(0.4, 0.1, 0.11, 0.12, 0.1) == [[]] * 5


def test_a_score_that_is_no_number_is_not_watched():
    assert scores(*[math.nan] * 6) == [[]] * 6
    assert scores(60.0, math.nan, 60.0, math.nan, 60.0) == [[]] * 5


def test_a_teacher_that_diverges_or_is_not_finite_is_reported_once():
    watch = watchdogs.Teacher()
    distances = (0.0, 0.6, 0.6, 0.1, 0.6, 0.7, 0.8, 0.9, math.inf, math.nan)
    output = [watch.warnings({"distance": value}) for value in distances]
    spoken = [line for lines in output for line in lines]
    assert [number for number, lines in enumerate(output) if lines] == [6, 8]
    assert "diverges from its student, their distance is 0.8 of the student's length" in spoken[0]
    assert spoken[1] == "teacher: it is not finite any more"


def test_a_resumed_run_restores_the_watchdogs(tmp_path):
    lines = [
        {"step": 1, "train/loss": 1.0},
        *({"step": step, "val/image_dice": 0.0} for step in (2, 4, 6)),
        {"step": 6, "warning": "something"},
        {"step": 6, "probe/kept": None},
    ]
    file = tmp_path / "metrics.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    watches = [watchdogs.ValidationScore("image_dice"), watchdogs.Teacher()]
    watchdogs.restore(watches, file)
    assert watchdogs.warnings(watches, "val/", {"image_dice": 0.0})
    assert not watchdogs.warnings(watches, "teacher/", {"distance": 0.1})
    watchdogs.restore(watches, tmp_path / "none")


def test_warnings_of_a_run_are_logged_stored_and_the_same_when_it_is_resumed(tmp_path, monkeypatch):
    """A forced collapse: the teacher diverges, and the validation score does not change."""
    real = loop.evaluate.evaluate
    monkeypatch.setattr(
        loop.evaluate, "evaluate", lambda *a, **k: real(*a, **k) | {"image_dice": 12.0}
    )
    monkeypatch.setattr(teacher, "distance", lambda variables: {"distance": jnp.asarray(3.0)})
    config = tiny.config("mean_teacher", steps=6)
    config.train.eval_every = 1
    run(frozen(config), tmp_path / "whole")
    output = workdir.warnings(tmp_path / "whole")
    assert any(line.startswith("step 3, teacher: it diverges") for line in output)
    assert any(line.startswith("step 4, validation: image_dice has been 12") for line in output)

    real_log = loop._log_step

    def stopping(pending, *rest):
        if pending[0] == 2:
            raise KeyboardInterrupt
        real_log(pending, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "_log_step", stopping)
        with pytest.raises(KeyboardInterrupt):
            run(frozen(config), tmp_path / "cut")
    run(frozen(config), tmp_path / "cut")
    assert workdir.warnings(tmp_path / "cut") == output
