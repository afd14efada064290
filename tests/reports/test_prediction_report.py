"""The report of a prediction: its table, its sentences and its page."""

import csv
import dataclasses
import io
import json
import re

import numpy as np
import pytest

from uaps_jax.datasets.common import Problem
from uaps_jax.evaluation.decision import Decision, Target
from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.inference import defects
from uaps_jax.inference.results import Result
from uaps_jax.reports import prediction_page, prediction_report
from uaps_jax.reports.prediction_report import Report

RULE = ScoreRule(kind="top", top_pixels=20, pixel_threshold=0.5, minimum_area=0)
DECISION = Decision(
    rule=RULE,
    threshold=0.5,
    target=Target(aim="false_alarms", rate=0.05),
    good=40,
    defective=9,
    false_alarms=2,
    found=8,
)
ODD = "a</script><b> &\"'#?.png"


def result(name, score, mask, not_ok=None, notes=()):
    found, left_out = defects.find(mask, 0)
    return Result(name, name, mask.shape, score, not_ok, found, left_out, notes)


@pytest.fixture
def report():
    empty = np.zeros((30, 40), np.uint8)
    two = empty.copy()
    two[2:5, 10:20] = 1
    two[20, 3] = 2
    results = [
        result("good.png", 0.1, empty, not_ok=False, notes=("16 bits", "turned")),
        result(ODD, 0.75, two, not_ok=True),
    ]
    return Report(
        title="<parts>",
        facts={"model": "runs/first"},
        decision=DECISION,
        class_names=("background", "scratch", "pit <1>"),
        results=prediction_report.worst_first(results),
        problems=[Problem("cut.png", "the file is empty"), Problem("b.png", "the file is empty")],
        mm_per_pixel=0.5,
    )


def test_the_table_has_every_defect_every_image_and_every_problem(report):
    rows = list(csv.DictReader(io.StringIO(prediction_report.table(report))))
    assert [row["file"] for row in rows] == [ODD, ODD, "good.png", "cut.png", "b.png"]
    expected = {
        "score": "0.75",
        "verdict": "not OK",
        "defect": "1",
        "class": "scratch",
        "area_px": "30",
        "area_mm2": "7.5",
        "left_px": "10",
        "top_px": "2",
        "width_px": "10",
        "height_px": "3",
        "centroid_x_px": "14.5",
        "centroid_y_px": "3.0",
        "largest_width_px": "3.0",
        "largest_width_mm": "1.5",
        "length_px": "10.4",
        "length_mm": "5.22",
        "image_width_px": "40",
        "image_height_px": "30",
        "problem": "",
    }
    assert rows[0] | expected == rows[0]
    assert (rows[1]["class"], rows[1]["area_px"]) == ("pit <1>", "1")
    assert rows[2] | {"defect": "", "verdict": "OK", "notes": "16 bits; turned"} == rows[2]
    assert rows[3] | {"score": "", "verdict": "", "problem": "the file is empty"} == rows[3]


def test_without_a_scale_and_a_decision_their_cells_are_empty(report):
    results = [one._replace(not_ok=None) for one in report.results]
    report = dataclasses.replace(report, mm_per_pixel=None, decision=None, results=results)
    row = next(csv.DictReader(io.StringIO(prediction_report.table(report))))
    assert (row["area_px"], row["area_mm2"], row["length_mm"], row["verdict"]) == ("30", "", "", "")
    page = prediction_page.render(report)
    assert "area, px²" in page
    assert "Shown images" not in page
    assert "not OK" not in re.sub("<(style|script).*?</(style|script)>", "", page, flags=re.DOTALL)


def test_the_summary_counts(report):
    assert prediction_report.summary(report) == [
        "2 images predicted: 1 not OK, 1 OK.",
        "2 defects in 1 image: 1 scratch, 1 pit <1>.",
        "2 files could not be predicted.",
    ]
    more = dataclasses.replace(report, results=[one._replace(left_out=3) for one in report.results])
    assert prediction_report.summary(more)[2] == "6 smaller defects are not measured."
    nothing = dataclasses.replace(report, results=report.results[1:], problems=[])
    assert prediction_report.summary(nothing) == [
        "1 image predicted: 0 not OK, 1 OK.",
        "No defect is predicted in any image.",
    ]
    assert list(prediction_report.problem_lines(report.problems)) == [
        "cut.png and 1 more file: the file is empty"
    ]


def test_the_page_shows_names_as_they_are_and_the_worst_first(report):
    page = prediction_page.render(report)
    assert "<h1>Report of &lt;parts&gt;</h1>" in page
    assert page.index("a&lt;/script&gt;&lt;b&gt;") < page.index("good.png")
    pictures = re.findall(r'(?:src|href)="((?:thumbnail|overlay)/[^"]*)"', page)
    assert "thumbnail/a%3C/script%3E%3Cb%3E%20%26%22%27%23%3F.png.jpg" in pictures
    assert len(pictures) == 4
    [data] = re.findall(r'id="data">(.*?)</script>', page)
    images = json.loads(data)["images"]
    assert [image["name"] for image in images] == [ODD, "good.png"]
    assert images[0]["defects"] == [[1, 10, 2, 10, 3], [2, 3, 20, 1, 1]]
    assert images[0]["rows"] == [
        ["1", "scratch", "7.5", "1.5", "5.22"],
        ["2", "pit <1>", "0.25", "0.5", "0.7071"],
    ]
    assert "https:" not in page
    assert page.count("the file is empty") == 2
