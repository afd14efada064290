"""The end of a process whose disk is full."""

import errno

import pytest

from tests.command_line.test_arguments import arguments
from uaps_jax import commands
from uaps_jax.command_line import execute
from uaps_jax.configs import neu_stpp, synthetic_uaps
from uaps_jax.training import processes


@pytest.mark.parametrize(
    ("given", "end"),
    [
        ({"config": synthetic_uaps.get_config()}, "the same command again: it resumes from the "),
        ({"config": neu_stpp.get_config()}, "run the same command again: it goes on where it "),
        ({"config": neu_stpp.get_config(), "stage": "rank"}, "run it again without --stage: it "),
        ({"config": neu_stpp.get_config(), "lists": True}, "No space left on device"),
    ],
)
def test_a_full_disk_is_reported_with_how_to_go_on(given, end, monkeypatch):
    def command(request):
        raise OSError(errno.ENOSPC, "No space left on device")

    def exit_process(message, *, at_once):
        assert at_once
        raise SystemExit(message)

    monkeypatch.setattr(commands, "choose", lambda *_: command)
    monkeypatch.setattr(processes, "exit_process", exit_process)
    with pytest.raises(SystemExit) as ended:
        execute.execute(arguments(workdir="run", **given))
    assert end in str(ended.value).splitlines()[-1]
