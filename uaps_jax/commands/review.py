"""Serves a local page on which a person decides on the proposals of a queue."""

from __future__ import annotations

from absl import logging

from uaps_jax.annotation_queue import entry
from uaps_jax.commands.request import Request
from uaps_jax.config import ConfigError
from uaps_jax.data.leakage import numbered
from uaps_jax.datasets.common import UnreadableError
from uaps_jax.review import annotated, server
from uaps_jax.review.decisions import WITH_MASK, Decisions
from uaps_jax.training import workdir


def review(request: Request) -> None:
    """Serves the page of the queue `request.input` until the process is interrupted.

    Raises:
      ConfigError: there is no queue, its files are damaged, or another process serves it.
    """
    if request.input is None:
        raise ConfigError("--mode=review needs --input, the folder of a queue")
    entry.read(request.input)  # Of a folder that is no queue, before it gets a lock.
    with workdir.locked(request.input):
        queue = entry.read(request.input)
        decisions = Decisions(queue)
        try:
            decisions.complete()
        except (UnreadableError, OSError) as error:
            raise ConfigError(
                f"{request.input / annotated.FOLDER} cannot be made of the decisions: {error}"
            ) from error
        server.serve(decisions)
        counts = decisions.counts()
    states = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in counts.items())
    logging.info("%s: %s", numbered(len(queue.entries), "image"), states)
    if any(counts[state] for state in WITH_MASK):
        logging.info(
            "accepted and corrected ones, to train on: %s", request.input / annotated.FOLDER
        )
