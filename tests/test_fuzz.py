"""A few of the cases of `python -m tests.fuzz`, and that it accepts what is whole."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests import fuzz

PROJECT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("attempt", fuzz.ATTEMPTS, ids=lambda attempt: attempt.__name__)
def test_what_is_not_damaged_is_accepted(attempt, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "damaged", lambda generator, data: data)
    attempt(random.Random(0), tmp_path)


def test_some_cases_of_each_kind():
    """In a process of its own: flags are parsed anew for every case."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--files=150", "--overrides=600", "--seed=7"],
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
