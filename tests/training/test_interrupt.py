"""Signals that interrupt a run."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from tests import crashes, tiny
from tests.training.test_loop import assert_equal, frozen, run
from uaps_jax import stop_signals
from uaps_jax.training import checkpoints, interrupt, progress


@pytest.fixture(autouse=True)
def interruptible():
    """SIGINT is not ignored, as it is in a job in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_first_signal_is_noted_and_a_copy_of_it_ignored():
    before = signal.getsignal(signal.SIGTERM)
    with interrupt.catch_signals(True) as request:
        assert request.number is None
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        assert request.number == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_later_signal_acts_at_once(monkeypatch):
    monkeypatch.setattr(stop_signals, "SAME_S", 0.0)
    with interrupt.catch_signals(True) as request:
        os.kill(os.getpid(), signal.SIGINT)
        assert request.number == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupt.catch_signals(True) as request:
            os.kill(os.getpid(), signal.SIGINT)
            assert request.number is None
    finally:
        signal.signal(signal.SIGINT, before)


IN_A_TERMINAL = """
import os, pathlib, sys, time
from uaps_jax import stop_signals

terminal = os.open(sys.argv[1], os.O_RDWR)  # of this session, which has no other one
os.dup2(terminal, 1)
os.dup2(terminal, 2)
numbers = []
with stop_signals.caught(numbers.append):
    print("begun", flush=True)
    while not numbers:
        time.sleep(0.01)
    print("saving", flush=True)
    print("saving", file=sys.stderr)
pathlib.Path(sys.argv[2]).write_text(str(numbers))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_after_a_closed_terminal_a_run_can_still_save(tmp_path):
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", IN_A_TERMINAL, os.ttyname(theirs), tmp_path / "numbers"],
        cwd=crashes.PROJECT,
        start_new_session=True,
        stderr=subprocess.PIPE,
    )
    assert os.read(ours, 5) == b"begun"
    os.close(theirs)
    os.close(ours)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, b"")
    assert (tmp_path / "numbers").read_text() == f"[{signal.SIGHUP:d}]"


def test_nothing_is_noted_in_another_thread_or_where_it_is_not_wanted():
    before = signal.getsignal(signal.SIGTERM)
    handlers = []

    def check(enabled):
        with interrupt.catch_signals(enabled):
            handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=check, args=(True,))
    thread.start()
    thread.join()
    check(False)
    assert handlers == [before, before]


@pytest.mark.parametrize("stop_at", [1, 3, 6])
def test_a_stopped_run_has_saved_its_step_and_ends_as_a_whole_one(tmp_path, monkeypatch, stop_at):
    config = frozen(tiny.plain("supervised"))
    whole = run(config, tmp_path / "whole")
    real = progress.Progress.step

    def step(self, values):
        if self._done + 1 == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(self, values)

    monkeypatch.setattr(progress.Progress, "step", step)
    with pytest.raises(interrupt.Interrupted, match="SIGTERM: stopped after step") as caught:
        run(config, tmp_path / "cut")
    assert caught.value.number == signal.SIGTERM
    saved = checkpoints.saved_steps(tmp_path / "cut")[-1]
    assert saved >= stop_at
    assert f"step {saved}," in str(caught.value)
    monkeypatch.undo()
    assert_equal(run(config, tmp_path / "cut"), whole)
