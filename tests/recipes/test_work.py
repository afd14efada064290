"""Stages as processes write the same files; one that fails ends the recipe with its reason."""

import signal
import subprocess
import sys

import numpy as np
import pytest

from tests import command_lines, crashes
from tests.commands import mine
from tests.recipes import of_user_two
from uaps_jax import child_process, configuration_files
from uaps_jax.command_line import flags as flags_lib
from uaps_jax.commands import recipe as recipe_command
from uaps_jax.commands.request import Request
from uaps_jax.recipes import errors, record, work
from uaps_jax.recipes.errors import StageFailed
from uaps_jax.recipes.stage import Pass, Place, Waiting

RATE = 0.003
"""The learning rate, an override."""


def command_of(root, name):
    file = crashes.PROJECT / "tests" / "recipes" / "of_user_two.py"
    return (
        *(sys.executable, str(crashes.PROJECT / "run.py"), f"--config={file}:{root}"),
        *(f"--config.base.optimizer.learning_rate={RATE}", f"--workdir={root / name}"),
        "--stages_as_processes",
    )


def request(root, name, command):
    config = of_user_two.get_config(str(root))
    configuration_files.override(config, {"base.optimizer.learning_rate": RATE})
    return Request(
        config=config,
        workdir=root / name,
        checkpoint="best",
        input=None,
        stages_as_processes=bool(command),
        command=command,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The recipe in one process, `whole`, and with a process a stage, `parts`, killed once.

    Returns the folder of both, and what was said when a process was killed.
    """
    root = tmp_path_factory.mktemp("two")
    mine.write_folder(root / "mine")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in crashes.environment(root).items():
            patch.setenv(name, value)
        whole = command_of(root, "whole")[:-1]
        done = subprocess.run(whole, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        command = command_of(root, "parts")
        patch.setenv("KILL_AT", "teacher/checkpoints:2")
        with pytest.raises(StageFailed) as killed:
            recipe_command.recipe(request(root, "parts", command))
        patch.delenv("KILL_AT")
        recipe_command.recipe(request(root, "parts", command))
    return root, str(killed.value)


def files_of(folder):
    """The files of the pass, without times and the output of its process."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and file.name not in (record.FILE, child_process.LOG)
    }


def test_stages_as_processes_write_the_same_bits_also_after_a_kill(runs):
    root, _ = runs
    whole, parts = root / "whole", root / "parts"
    labels = files_of(parts / "targets")
    assert labels == files_of(whole / "targets")
    assert "all/quality.json" in labels
    one, other = (
        crashes.arrays_of(run / "teacher" / "checkpoints" / "4") for run in (whole, parts)
    )
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])
    started = {log.parent.name: log.read_text().count("$ ") for log in parts.rglob("log.txt")}
    assert started == {"teacher": 2, "all": 1}
    found = record.read(parts / "targets" / "all")
    assert found.outputs.keys() == record.read(whole / "targets" / "all").outputs.keys()
    assert not list(parts.rglob("*.previous-*"))


def test_the_stage_that_was_killed_is_named_with_its_signal_and_its_log(runs):
    root, killed = runs
    reason, how = killed.splitlines()
    assert reason.startswith("stage teacher failed: ended by signal 9, Killed, which the system")
    assert reason.endswith(f"(complete log: {root / 'parts' / 'teacher' / 'log.txt'})")
    assert how == "The stages before it are done; the same command goes on with this one."


def test_a_stage_runs_only_as_it_was_begun(runs, monkeypatch):
    root, _ = runs
    monkeypatch.setenv(work.STAGE_VARIABLE, "label")
    with pytest.raises(StageFailed, match="stage label is done: .*were changed while the recipe"):
        recipe_command.recipe(request(root, "whole", ()))
    monkeypatch.setenv(work.STAGE_VARIABLE, "none")
    with pytest.raises(StageFailed, match="stage none is not one of the recipe"):
        recipe_command.recipe(request(root, "whole", ()))


@pytest.fixture
def stage(tmp_path):
    """A function that runs a Python program as the process of a stage."""
    one = Pass(name="a", folder="a", inputs=(), options={}, write=lambda place: None)
    place = Place(folder=tmp_path / "a", inputs={}, dataset=None, split={})

    def run(program, again=False):
        with errors.told(one, again=again):
            work.in_own_process((sys.executable, "-c", program))(one, place)

    return run


def test_a_process_that_waits_for_a_person_says_for_what(stage):
    with pytest.raises(Waiting, match=r"^two masks\nput them there$"):
        stage("print('I0 a line\\nwaiting: two masks\\nput them there'); raise SystemExit(3)")


def test_exit_status_3_without_the_word_is_a_failure(stage):
    with pytest.raises(StageFailed, match="stage a failed: exit status 3: of its own"):
        stage("print('of its own'); raise SystemExit(3)")


def test_the_error_of_a_process_is_that_of_its_stage(stage, tmp_path):
    with pytest.raises(StageFailed) as failed:
        stage("import sys; print('I0 a line'); sys.exit('error: no paper\\nis left')", again=True)
    log = tmp_path / "a" / "log.txt"
    assert str(failed.value) == (
        f"stage a failed: exit status 1: error: no paper\nis left (complete log: {log})\n"
        "The stages before it are done; run it without --stage to go on."
    )


SAVES = """
import os, signal, sys, time
def end(number, frame):
    time.sleep(0.3)
    print("saved", flush=True)
    sys.exit(143)
signal.signal(signal.SIGTERM, end)
time.sleep(0.5)
os.kill(os.getppid(), signal.SIGINT)
os.kill(os.getppid(), signal.SIGINT)  # as a wrapper does that forwards what the terminal sent
time.sleep(60)
"""


@pytest.fixture
def sigint():
    """Its usual handler, also where the shell that started the tests ignores the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_the_process_and_waits_until_it_has_saved(stage, tmp_path, sigint):
    with pytest.raises(child_process.Stopped) as stopped:
        stage(SAVES)
    assert (
        str(stopped.value) == "SIGINT: stage a was stopped; the same command goes on with this one"
    )
    assert stopped.value.code == 128 + signal.SIGINT
    assert (tmp_path / "a" / "log.txt").read_text().endswith("\nsaved\n")
    assert signal.getsignal(signal.SIGINT) is sigint


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")  # of ml_collections
def test_the_command_of_a_stage_is_the_whole_command(monkeypatch, tmp_path):
    given = []
    monkeypatch.setattr(flags_lib, "execute", given.append)
    command = command_of(tmp_path, "parts")[1:]
    flags_lib.run(command_lines.parse(command))
    wanted = given[0].request()
    assert (wanted.stages_as_processes, wanted.command) == (True, (sys.executable, *command))
