"""Trains a run, and scores and draws it at the end."""

from __future__ import annotations

from uaps_jax.commands import training
from uaps_jax.commands.request import Request, training_config


def train(request: Request) -> None:
    """Trains or resumes, then scores the test split at the best and the last checkpoint."""
    training.train(training_config(request, "train"), request.workdir, request.profile)
