"""Runs a command and ends the process with its status."""

from __future__ import annotations

import sys
from typing import NoReturn

from uaps_jax import child_process, commands, files
from uaps_jax.command_line.arguments import Arguments
from uaps_jax.commands.request import USER_ERRORS, Request
from uaps_jax.recipes.stage import WAITING, Recipe, Waiting
from uaps_jax.training import interrupt, processes


def execute(arguments: Arguments) -> NoReturn:
    """Runs the command of the arguments and exits.

    The exit status is 0 after success; 1, with a message, after an error that the user can correct;
    3 where a recipe waits for a person; 128 plus the number of the signal after an interruption.
    """
    request: Request | None = None
    try:
        arguments.check()
        if arguments.has_several_processes:
            processes.start(arguments.coordinator, arguments.processes, arguments.process)
        command = commands.choose(arguments.config, arguments.mode)
        request = arguments.request()
        command(request)
    except USER_ERRORS as error:
        processes.exit_process(f"{child_process.ERROR}{error}")
    except Waiting as waiting:
        print(f"{child_process.WAITING}{waiting}", file=sys.stderr)
        sys.exit(WAITING)
    except interrupt.Interrupted as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(128 + stopped.number)
    except child_process.Stopped as stopped:
        print(stopped, file=sys.stderr)
        raise
    except Exception as error:
        if not files.is_disk_full(error):
            raise
        reason = f"error: no space is left on a disk: {str(error).splitlines()[0]}"
        if request is not None:
            reason += _after_full_disk(request, is_training=arguments.is_training)
        processes.exit_process(reason, at_once=True)
    sys.exit(0)


def _after_full_disk(request: Request, *, is_training: bool) -> str:
    """What is complete and how to go on; "" where there is nothing to resume."""
    if is_training:
        return (
            f"\nThe checkpoints in {request.workdir} are complete. Free some space and run the "
            "same command again: it resumes from the latest checkpoint."
        )
    if isinstance(request.config, Recipe) and not request.lists:
        how = "the same command again" if request.stage is None else "it again without --stage"
        return (
            f"\nThe files of the stages in {request.workdir} are complete. Free some space and run "
            f"{how}: it goes on where it stopped."
        )
    return ""
