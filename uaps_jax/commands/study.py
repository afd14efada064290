"""Runs the trainings of a study and reports them."""

from __future__ import annotations

import sys

from uaps_jax.commands.request import Request
from uaps_jax.study.grid import Grid
from uaps_jax.study.rounds import Rounds
from uaps_jax.study.run_rounds import run_rounds
from uaps_jax.study.run_study import run_study


def study(request: Request) -> None:
    """Runs the trainings that have no result yet, each as a process, and writes the report.

    Raises:
      UnfinishedStudy: trainings failed; the report says which.
    """
    assert request.program is not None
    command = (sys.executable, str(request.program))
    if isinstance(request.config, Rounds):
        run_rounds(request.config, request.workdir, command)
        return
    assert isinstance(request.config, Grid)
    run_study(request.config, request.workdir, command)
