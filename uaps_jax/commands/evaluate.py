"""Scores checkpoints on the validation and test splits, or on a folder with masks."""

from __future__ import annotations

from uaps_jax.commands import evaluated_folder, loading, opening, pictures
from uaps_jax.commands.request import Request
from uaps_jax.commands.scoring import Scorer
from uaps_jax.data import whole_images
from uaps_jax.inference import settings
from uaps_jax.training import checkpoints


def evaluate(request: Request) -> None:
    """Scores checkpoints on the validation and test splits, and sets their decisions.

    With `request.input`, they are scored on the images of this folder instead, by the decisions
    that they have. With `request.demo`, each also draws so many of the test images, or of the
    folder: `demo/step_<N>.png`, of a folder `demo/step_<N>_<NAME-ABCDEF>.png` as the folder of its
    predictions is called.

    Raises:
      ConfigError, DataError: the images cannot be used; nothing is scored.
    """
    steps = checkpoints.find_steps(request.workdir, request.checkpoint)
    is_range = len(steps) > 1 or request.checkpoint[0].isdigit()
    names = [str(step) for step in steps] if is_range else [request.checkpoint]
    scorer = Scorer()
    if request.input is not None:
        model, dataset = evaluated_folder.open_folder(request, request.input, names[0])
        pool = whole_images.to_evaluate(dataset, sorted(dataset.masked), model.config.data)
    else:
        model = loading.load_to_decide(request, names[0])
        _, dataset = opening.open_dataset(model.config)
        opening.check_same_data(model.record, dataset)
        val, pool = (
            whole_images.to_evaluate(dataset, model.record[part], model.config.data)
            for part in ("val", "test")
        )
    for number, name in enumerate(names):
        model = model.at(name) if number else model
        if request.input is not None:
            settings.check_decision(model.config, model.decision, model.step, request.overrides)
            scorer.score_folder(model, dataset, pool, request.input)
        else:
            scorer.score(model, dataset, {"val": val, "test": pool})
        if request.demo:
            pictures.draw_some(model, dataset, pool, request.demo, request.input)
