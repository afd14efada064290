"""A few of the cases of `python -m tests.fuzz`, and that it accepts valid files."""

import contextlib
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import fuzz

PROJECT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("attempt", fuzz.ATTEMPTS, ids=lambda attempt: attempt.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_not_damaged_is_accepted(attempt, seed, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "damaged", lambda generator, data: data)
    monkeypatch.setattr(fuzz, "PICTURES", fuzz.PICTURES[-1:])  # a mask may be read as an image
    attempt(random.Random(seed), tmp_path)


def test_every_picture_is_one():
    for picture in fuzz.PICTURES:
        assert fuzz.images.read_any_image(picture, 255).shape == (24, 20, 3)


def test_an_attempt_that_takes_too_long_or_too_much_is_a_failure(monkeypatch):
    monkeypatch.setattr(fuzz, "SECONDS", 1)
    monkeypatch.setattr(fuzz, "MEBIBYTES", 20)
    tally = fuzz.Tally()

    def slow():
        with contextlib.suppress(Exception):
            time.sleep(30)

    def large():
        assert bytearray(100 << 20)[-1] == 0
        raise fuzz.ConfigError("refused, but too late")

    tally.add("slow", "a", slow)
    tally.add("large", "b", large)
    assert ["TooSlowError" in text for text in tally.failures] == [True, False]
    assert "MiB" in tally.failures[1]


def test_some_cases_of_each_kind():
    """In a process of its own: flags are parsed anew for every case."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--files=100", "--overrides=300", "--seed=7"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    tried = [line.split() for line in done.stdout.splitlines() if " tried, " in line]
    assert {words[0] for words in tried} == {
        a.__name__.removeprefix("attempt_") for a in (*fuzz.ATTEMPTS, fuzz.attempt_override)
    }
    assert next(int(words[3]) for words in tried if words[0] == "override") > 0
