"""Runs the trainings of a study and reports them."""

from __future__ import annotations

import sys

from uaps_jax.commands.request import Request
from uaps_jax.study import conduct
from uaps_jax.study.grid import Grid


def study(request: Request) -> None:
    """Runs the trainings that have no result yet, each as a process, and writes the report.

    Raises:
      UnfinishedStudy: trainings failed; the report says which.
    """
    assert isinstance(request.config, Grid)
    assert request.program is not None
    conduct.run(request.config, request.workdir, (sys.executable, str(request.program)))
