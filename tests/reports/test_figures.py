"""The figures of a run, for any names of its images and classes."""

import json

from PIL import Image

from tests import tiny
from uaps_jax.inference.pools import Predictions
from uaps_jax.reports import figures

ODD = "$\\frac{ and $x^{ \udcff"


def width(file):
    with Image.open(file) as picture:
        return picture.width


def test_a_contact_sheet_shows_names_as_they_are(tmp_path, drawn):
    pool = tiny.pool(2)
    result = Predictions(
        values=pool.masks,
        uncertainty=pool.masks.astype("float32"),
        scores=pool.masks.mean((1, 2)),
        uncertainty_name="entropy",
    )
    pool = type(pool)(names=(ODD, "plain"), images=pool.images, masks=pool.masks)
    target = tmp_path / "sheet.png"
    figures.contact_sheet(pool, result, ("background", ODD, "$b$"), target, rows=2)
    assert width(target) > 400
    labels = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert labels[:2] == ["$\\frac{ and $x^{ \\udcff", "$b$"]
    assert drawn[0].axes[0].get_ylabel() == "$\\frac{ and $x^{ \\udcff"


def test_curves_show_warnings_as_they_are(tmp_path, drawn):
    lines = [
        {"step": 1, "train/loss": 1.0, "val/image_iou": 2.0},
        {"step": 2, "train/loss": 0.5, "warning": "class $\\frac{ and $x^{ is gone"},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    figures.curves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")
    assert width(tmp_path / "curves.png") > 400
    assert "$\\frac{" in drawn[0].get_supxlabel()


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
