"""Scores checkpoints on the validation and test splits."""

from __future__ import annotations

from uaps_jax.commands import opening, pictures
from uaps_jax.commands.request import Request
from uaps_jax.commands.scoring import Scorer
from uaps_jax.commands.trained import open_run
from uaps_jax.data import source
from uaps_jax.training import checkpoints


def evaluate(request: Request) -> None:
    """Scores checkpoints on the validation and test splits; needs no more than the checkpoints.

    With `request.demo`, each also draws so many test images: `demo/step_<N>.png`.
    """
    steps = checkpoints.find_steps(request.workdir, request.checkpoint)
    run = open_run(request, steps[0])
    _, dataset = opening.open_dataset(run.config)
    record = checkpoints.read_record(request.workdir, steps[0])
    opening.check_same_data(record, dataset)
    pools = {part: source.read(dataset, record[part], run.config.data) for part in ("val", "test")}
    scorer = Scorer(run)
    for step in steps:
        single = len(steps) == 1 and not request.checkpoint[0].isdigit()
        checkpoint = run.restore(request.checkpoint if single else str(step))
        for part, pool in pools.items():
            scorer.score(checkpoint, part, dataset, pool)
        if request.demo:
            pictures.draw_some(run, checkpoint, dataset, pools["test"], request.demo)
