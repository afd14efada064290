"""Runs the trainings of a study and reports them."""

from __future__ import annotations

import sys
from pathlib import Path

from uaps_jax.commands.request import Request
from uaps_jax.study import conduct
from uaps_jax.study.grid import Grid

RUN = Path(__file__).resolve().parents[2] / "run.py"


def study(request: Request) -> None:
    """Runs the trainings that have no result yet, each as `run.py` does, and writes the report.

    Raises:
      UnfinishedStudy: trainings failed; the report says which.
    """
    assert isinstance(request.config, Grid)
    conduct.run(request.config, request.workdir, (sys.executable, str(RUN)))
