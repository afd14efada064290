"""Runs a command and ends the process with its status."""

from __future__ import annotations

import sys
from typing import NoReturn

from uaps_jax import commands, files
from uaps_jax.command_line.arguments import Arguments
from uaps_jax.commands.request import USER_ERRORS, Request
from uaps_jax.training import interrupt, processes


def execute(arguments: Arguments) -> NoReturn:
    """Does what is asked for, and exits.

    The status is 0, or 1 with a text where a person can correct what is wrong, or 128 more than
    the number of the signal that interrupted a training.
    """
    request: Request | None = None
    try:
        arguments.check()
        if arguments.are_several:
            processes.start(arguments.coordinator, arguments.processes, arguments.process)
        command = commands.choose(arguments.config, arguments.mode)
        request = arguments.request()
        command(request)
    except USER_ERRORS as error:
        processes.exit_process(f"error: {error}")
    except interrupt.Interrupted as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(128 + stopped.number)
    except Exception as error:
        if not files.is_disk_full(error):
            raise
        reason = f"error: no space is left on a disk: {str(error).splitlines()[0]}"
        if request is not None and arguments.is_training:
            reason += (
                f"\nThe checkpoints in {request.workdir} are whole. When there is space again, "
                "the same command goes on from the latest."
            )
        processes.exit_process(reason, at_once=True)
    sys.exit(0)
