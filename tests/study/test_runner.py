"""The cores, the GPUs and the progress of the trainings of a study."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from absl import logging

from uaps_jax import child_process
from uaps_jax.configs.studies import thirty
from uaps_jax.study import cells, processes, progress, runner


@pytest.mark.parametrize(
    ("cores", "workers", "expected"),
    [
        ({0, 1, 4, 5}, 2, [{0, 4}, {1, 5}]),
        ({3, 5, 7}, 2, [{3, 7}, {5}]),
        ({0, 1}, 1, [set()]),
        ({2}, 3, [set(), set(), set()]),
    ],
)
def test_workers_share_the_cores(monkeypatch, cores, workers, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores, raising=False)
    assert processes.shares_of_cores(workers) == expected


def test_without_linux_all_cores_are_for_all(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert processes.shares_of_cores(2) == [set(), set()]


def test_a_training_has_the_cores_of_its_worker(tmp_path):
    core = min(os.sched_getaffinity(0))
    code = "import os, time; time.sleep(1); print(os.sched_getaffinity(0))"
    ended = child_process.run(["python3", "-c", code], tmp_path, os.environ, {}, 0, {core})
    assert ended.reason == ""
    assert (tmp_path / child_process.LOG).read_text().endswith(f"{{{core}}}\n")


def test_each_training_has_a_gpu_of_its_own_if_per_gpu_is_1(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: "nvidia-smi")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert processes._devices(2, 1) == [{"CUDA_VISIBLE_DEVICES": "3"}]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5,6")
    assert processes._devices(2, 1) == [
        {"CUDA_VISIBLE_DEVICES": "3"},
        {"CUDA_VISIBLE_DEVICES": "5"},
    ]
    for none in ("", "-1", "-1,0"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", none)
        assert processes._devices(2, 1) == [{}, {}]


def test_trainings_that_share_a_gpu_take_memory_as_they_need_it(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: "nvidia-smi")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    shared = {"CUDA_VISIBLE_DEVICES": "3", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    alone = {"CUDA_VISIBLE_DEVICES": "5"}
    assert processes._devices(3, 2) == [shared, alone, shared]
    assert len(processes._devices(9, 2)) == 4
    assert processes._devices(2, 2) == [{"CUDA_VISIBLE_DEVICES": "3"}, alone]


@pytest.mark.parametrize(
    ("output", "status", "expected"),
    [
        (
            "GPU 0: A (UUID: x)\n  MIG 1g.5gb Device 0: (UUID: y)\nGPU 1: A (UUID: z)\n",
            0,
            ["0", "1"],
        ),
        ("No devices were found\n", 6, []),
        ("", 0, []),
    ],
)
def test_gpus_are_those_that_the_driver_lists(monkeypatch, output, status, expected):
    done = subprocess.CompletedProcess([], status, stdout=output)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert processes._gpus() == expected


def test_the_progress_of_a_training(tmp_path):
    cell = cells.cells(thirty.get_config("ablation"))[0]
    folder = tmp_path / cell.folder
    assert progress.line(cell, tmp_path) == f"{cell.folder}: no step yet"
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text(json.dumps({"step": 20, "train/loss": 1.0}) + "\n")
    assert progress.line(cell, tmp_path) == f"{cell.folder}: step 20 of 3000"
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": 300, "train/steps_per_second": 5.0}) + "\n")
        file.write(json.dumps({"step": 300, "val/image_iou": 40.0}) + "\n")
        file.write('\0\0\n{"warning": "x"}\n[1]\n{"step": 3')
    expected = f"{cell.folder}: step 300 of 3000, about 9.0 minutes left"
    assert progress.line(cell, tmp_path) == expected


def test_a_study_tells_how_far_its_trainings_are(tmp_path, monkeypatch):
    cell = cells.cells(thirty.get_config("ablation"))[0]
    said = []
    monkeypatch.setattr(processes, "SHOWN_EVERY_S", 0.05)
    monkeypatch.setattr(logging, "info", lambda text, *values: said.append(text % values))
    command = (sys.executable, "-c", "import time; time.sleep(1)")
    given = {"workers": 1, "per_gpu": 1, "command": command, "of_recipe": ()}
    given["on_finish"] = lambda outcomes: None
    [outcome] = runner.run({cell: ""}, tmp_path, **given)
    assert outcome.result is None
    assert f"{cell.folder}: no step yet" in said
    monkeypatch.setattr(runner.progress, "line", lambda *_: 1 / 0)
    monkeypatch.setattr(logging, "exception", lambda text: said.append(text))
    runner.run({cell: ""}, tmp_path, **given)
    assert "the progress could not be read" in said
