"""A study in real processes: killed and resumed, with a training that fails; and its report."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]

STUDY = """
from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Bars, Block, Decoders, Entry, LabelEquivalence, Lines, Panels


def get_config():
    entries = {
        "supervised": base.METHODS["supervised"],
        "UAPS": base.METHODS["UAPS"],
        "broken <script>": Entry(method="supervised", overrides={"optimizer.learning_rate": 1e30}),
    }
    grid = base.study("A small study", entries)
    grid.blocks = (
        Block(entries=tuple(entries), datasets=("synthetic",)),
        Block(entries=("supervised",), datasets=("synthetic",), seeds=(0, 1)),
    )
    grid.overrides = {
        "data.height": 32,
        "data.width": 32,
        "network.widths": (4, 6),
        "network.dropout": (0.0, 0.0),
        "train.steps": 12,
        "train.eval_every": 6,
        "train.log_every": 3,
        "checkpoint.every": 3,
        "evaluation.probe_images": 4,
    }
    here = {"dataset": "synthetic", "budget": 16 / 512}
    grid.figures = (
        Bars(title="Bars", entries=("supervised", "UAPS"), **here),
        Lines(
            title="Lines",
            dataset="synthetic",
            x_label="x",
            series={"a": ((1.0, "supervised", 16 / 512), (2.0, "UAPS", 16 / 512))},
        ),
        Decoders(title="Decoders", entries=("supervised", "UAPS"), **here),
        Panels(title="Panels", entries=("supervised", "UAPS"), images=2, **here),
        LabelEquivalence(title="Labels", dataset="synthetic", entries=("UAPS",)),
        Bars(title="Nobody", dataset="synthetic", budget=0.5, entries=("UAPS",)),
    )
    return grid
"""


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A study that was killed in its second training, and started again."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "small_study.py").write_text(STUDY)
    command = [
        sys.executable,
        "run.py",
        f"--config={folder / 'small_study.py'}",
        f"--config.data_dir={folder / 'data'}",
        f"--workdir={folder / 'work'}",
    ]
    environment = os.environ | {
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    }
    runs = folder / "work" / "runs" / "synthetic"
    first, second = (runs / entry / "ratio_0.03125" / "seed_0" for entry in ("supervised", "UAPS"))
    with (folder / "killed.txt").open("w") as log:
        study = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 300
        while not (second / "metrics.jsonl").exists() and time.monotonic() < deadline:
            assert study.poll() is None, (folder / "killed.txt").read_text()
            time.sleep(0.05)
        study.send_signal(signal.SIGKILL)
        study.wait()
    time.sleep(0.5)
    unfinished = not (second / "result.json").exists()
    before = (first / "result.json").stat().st_mtime_ns
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    return folder / "work", done, unfinished, before == (first / "result.json").stat().st_mtime_ns


def test_a_killed_study_finishes_without_repeating_a_finished_training(finished):
    work, done, unfinished, untouched = finished
    assert unfinished
    assert untouched
    assert "4 trainings: 1 are finished, 3 to run" in done.stderr
    started = {
        log.parent.relative_to(work / "runs" / "synthetic"): log.read_text().count("$ ")
        for log in work.rglob("log.txt")
    }
    assert started == {
        Path("supervised/ratio_0.03125/seed_0"): 1,
        Path("UAPS/ratio_0.03125/seed_0"): 2,
        Path("supervised/ratio_0.03125/seed_1"): 1,
        Path("broken__script_/ratio_0.03125/seed_0"): 1,
    }


def test_a_failure_does_not_stop_the_rest_and_is_listed(finished):
    work, done, _, _ = finished
    assert done.returncode == 1
    assert "failed: 1 of 4" in done.stderr
    assert re.search(r"  UAPS  +image_iou [\d.]+, difference [+-][\d.]+ \(1 pair\)", done.stderr)
    assert "loss" in (work / "report.html").read_text()
    page = (work / "report.html").read_text()
    assert "broken &lt;script&gt; on synthetic" in page
    assert "<script" not in page
    assert "broken__script_" in (work / "report.md").read_text()


def test_results_and_tables(finished):
    work, *_ = finished
    rows = lines(work / "results.jsonl")
    trained = {("supervised", 0), ("supervised", 1), ("UAPS", 0)}
    for which in ("latest", "best"):
        assert {(r["entry"], r["seed"]) for r in rows if r["checkpoint"] == which} == trained
    assert {r["part"] for r in rows} == {"test"}
    assert {r["steps"] for r in rows} == {12}
    report = (work / "report.md").read_text()
    assert "| UAPS " in report
    # Images and leakage groups, in tables, notes and records.
    assert "### synthetic, 16 labeled images of 16 leakage groups (labeled_ratio 0.03125)" in report
    assert (
        "synthetic, protocol native, labeled_ratio 0.03125, data.split_seed 45: labeled 16 images "
        "of 16 leakage groups, unlabeled 496 images of 496 leakage groups, "
    ) in report
    assert {(r["labeled"], r["labeled_groups"]) for r in rows} == {(16, 16)}
    with (work / "results.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 3
    # The table's score is the one that the training wrote.
    written = json.loads(
        (work / "runs/synthetic/UAPS/ratio_0.03125/seed_0/result.json").read_text()
    )
    (row,) = [r for r in rows if r["entry"] == "UAPS" and r["checkpoint"] == "best"]
    assert row["image_iou"] == written["scores"]["best"]["image_iou"]
    assert written["scores"].keys() == {"latest", "best"}
    others = written["other_predictors"]["ensemble"]
    assert {result["predictor"] for result in others.values()} == {"ensemble"}
    assert others["latest"]["step"] == 12
    assert others["best"]["step"] == written["scores"]["best"]["step"]


def test_figures_are_drawn_where_there_is_something_to_draw(finished):
    work, *_ = finished
    drawn = sorted(file.name for file in (work / "figures").iterdir())
    assert drawn == ["01.png", "02.png", "03.png", "04.png"]
    page = (work / "report.html").read_text()
    assert all(f"figures/{name}" in page for name in drawn)
    assert "Nobody" not in page


def test_the_health_of_pseudo_labels_is_in_the_log_of_a_training(finished):
    work, *_ = finished
    metrics = lines(work / "runs/synthetic/UAPS/ratio_0.03125/seed_0/metrics.jsonl")
    measured = [r for r in metrics if "probe/kept" in r]
    assert [r["step"] for r in measured] == [6, 12]
    assert measured[0]["probe/kept"] == pytest.approx(100)
    assert 0 <= measured[0]["probe/agreement"] <= 100


def test_a_study_has_no_mode(tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, "run.py", "--mode=evaluate", f"--workdir={tmp_path}"),
            "--config=configs/studies/rendering_check.py",
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "--mode=evaluate is for one training, and this --config is a study" in done.stderr
    assert "Traceback" not in done.stderr
