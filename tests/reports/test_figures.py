"""The figures of a run, for any names of its images and classes."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
from PIL import Image

from tests import tiny
from uaps_jax.inference.pools import Predictions
from uaps_jax.methods import uncertainties
from uaps_jax.reports import figures

ODD = "$\\frac{ and $x^{ \udcff"


def predictions_of(pool):
    """Predictions that are right everywhere."""
    return Predictions(
        values=pool.masks,
        uncertainty=pool.masks.astype("float32"),
        scores=np.zeros(len(pool.names), np.float32),
        kind=uncertainties.ENTROPY,
    )


def width(file):
    with Image.open(file) as picture:
        return picture.width


def test_a_contact_sheet_shows_names_as_they_are(tmp_path, drawn):
    pool = tiny.pool(2)
    result = predictions_of(pool)
    pool = type(pool)(names=(ODD, "plain"), images=pool.images, masks=pool.masks)
    target = tmp_path / "sheet.png"
    figures.contact_sheet(pool, result, ("background", ODD, "$b$"), target)
    assert width(target) > 400
    labels = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert labels[:2] == ["$\\frac{ and $x^{ \\udcff", "$b$"]
    assert drawn[0].axes[0].get_ylabel() == "$\\frac{ and $x^{ \\udcff"


def test_the_uncertainty_has_its_name_and_unit(tmp_path, drawn):
    pool = tiny.pool(2)
    result = dataclasses.replace(predictions_of(pool), kind=uncertainties.VARIANCE)
    figures.contact_sheet(pool, result, ("background", "a", "b"), tmp_path / "sheet.png")
    assert drawn[0].axes[4].get_title() == "uncertainty\n(predicted variance)"
    assert drawn[0].axes[-1].get_ylabel() == "squared logits"


def test_curves_show_warnings_as_they_are(tmp_path, drawn):
    lines = [
        {"step": 1, "train/loss": 1.0, "val/image_iou": 2.0},
        {"step": 2, "train/loss": 0.5, "warning": "class $\\frac{ and $x^{ is gone"},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    figures.curves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")
    assert width(tmp_path / "curves.png") > 400
    assert "$\\frac{" in drawn[0].get_supxlabel()


def test_curves_of_a_run_that_was_stopped_before_anything_was_logged(tmp_path, drawn):
    (tmp_path / "metrics.jsonl").write_text('{"step": 0, "probe/kept": 1.0}\n')
    figures.curves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")
    assert drawn[0].axes[0].get_legend() is None


def test_long_names_of_a_contact_sheet_do_not_overlap(tmp_path, drawn):
    pool = tiny.pool(3)
    result = predictions_of(pool)
    names = tuple(f"line_3/camera_left/2026-11-26T10-42-0{i}_part_{i}" * 4 for i in range(3))
    pool = type(pool)(names=names, images=pool.images, masks=pool.masks)
    figures.contact_sheet(pool, result, ("background", "a", "b"), tmp_path / "sheet.png")
    labels = [axes.yaxis.label for axes in drawn[0].axes if axes.get_ylabel().startswith("line")]
    extents = sorted(label.get_window_extent().extents.tolist() for label in labels)
    assert len(extents) == 3
    ends = sorted((low, high) for _, low, _, high in extents)
    assert all(first[1] < second[0] for first, second in itertools.pairwise(ends))
    assert {label.get_text()[-8:] for label in labels} == {name[-8:] for name in names}


@pytest.mark.parametrize("ends", [(0.9, 0.3), (40, 0.02), (0.005, 0.001), (0, 0)])
def test_the_axis_of_the_losses_has_labels(tmp_path, drawn, ends):
    lines = [
        {"step": step, "train/loss": value, "val/image_iou": 50.0}
        for step, value in enumerate(np.linspace(*ends, 20))
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    figures.curves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")
    axis = drawn[0].axes[0].yaxis
    low, high = sorted(axis.get_view_interval())
    ticks = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
    labels = [label.get_text() for place, label in ticks if low <= place <= high]
    assert len([label for label in labels if label]) >= 3


def test_curves_show_false_alarms_where_there_are_good_images(tmp_path, drawn):
    rate = "val/clean_image_false_positive_rate"
    for value in (None, 30.0):
        lines = [
            {"step": step, "train/loss": 1.0, "val/image_iou": 2.0, rate: value} for step in (1, 2)
        ]
        (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        figures.curves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")
    labels = [[text.get_text() for text in f.axes[1].get_legend().get_texts()] for f in drawn]
    assert [rate.removeprefix("val/") in names for names in labels] == [False, True]
    [line] = [one for one in drawn[1].axes[1].lines if one.get_label() == rate.removeprefix("val/")]
    assert line.get_ydata().tolist() == [30, 30]
