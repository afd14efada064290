"""Scores checkpoints on the validation and test splits."""

from __future__ import annotations

from uaps_jax.commands import loading, opening, pictures
from uaps_jax.commands.request import Request
from uaps_jax.commands.scoring import Scorer
from uaps_jax.data import whole_images
from uaps_jax.training import checkpoints


def evaluate(request: Request) -> None:
    """Scores checkpoints on the validation and test splits, and sets their decisions.

    With `request.demo`, each also draws so many test images: `demo/step_<N>.png`.
    """
    steps = checkpoints.find_steps(request.workdir, request.checkpoint)
    is_range = len(steps) > 1 or request.checkpoint[0].isdigit()
    names = [str(step) for step in steps] if is_range else [request.checkpoint]
    model = loading.load(request, names[0])
    _, dataset = opening.open_dataset(model.config)
    opening.check_same_data(model.record, dataset)
    pools = {
        part: whole_images.to_evaluate(dataset, model.record[part], model.config.data)
        for part in ("val", "test")
    }
    scorer = Scorer()
    for number, name in enumerate(names):
        model = model.at(name) if number else model
        scorer.score(model, dataset, pools)
        if request.demo:
            pictures.draw_some(model, dataset, pools["test"], request.demo)
