"""The cores of the trainings of a study."""

import os

import pytest

from uaps_jax.study import runner


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
    assert runner.shares_of_cores(workers) == expected


def test_without_linux_all_cores_are_for_all(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert runner.shares_of_cores(2) == [set(), set()]


def test_a_training_has_the_cores_of_its_worker(tmp_path):
    core = min(os.sched_getaffinity(0))
    code = "import os, time; time.sleep(1); print(os.sched_getaffinity(0))"
    reason = runner._train(["python3", "-c", code], tmp_path, os.environ, {}, 0, {core})
    assert reason == ""
    assert (tmp_path / runner.LOG).read_text().endswith(f"{{{core}}}\n")
