"""The commands, one file each: they read a request, and write a work directory."""

from __future__ import annotations

from collections.abc import Callable

from uaps_jax.commands import (
    audit,
    evaluate,
    export,
    import_annotations,
    predict,
    queue,
    recipe,
    replay,
    review,
    serve,
    split,
    study,
    train,
)
from uaps_jax.commands.request import Request
from uaps_jax.config import Config, ConfigError
from uaps_jax.recipes.stage import Recipe
from uaps_jax.study.kind import Study

Command = Callable[[Request], None]

COMMANDS: dict[str, Command] = {
    "audit": audit.audit,
    "train": train.train,
    "split": split.split,
    "evaluate": evaluate.evaluate,
    "predict": predict.predict,
    "export": export.export,
    "replay": replay.replay,
    "import": import_annotations.import_annotations,
    "queue": queue.queue,
    "review": review.review,
    "serve": serve.serve,
}
"""What can be done with one training, by the name that `--mode` gives it."""


def choose(config: Config | Recipe | Study | None, mode: str | None) -> Command:
    """What is to be done: the kind of the configuration decides, and of a training the mode.

    Args:
      config: of a training, a recipe or a study; None where a checkpoint holds it.
      mode: one of `COMMANDS`; None trains.

    Raises:
      ConfigError: a mode is given for a recipe or a study.
    """
    if isinstance(config, Recipe | Study):
        is_study = isinstance(config, Study)
        if mode is not None:
            what = "study" if is_study else "recipe"
            raise ConfigError(
                f"--mode={mode} is for one training, and this --config is a {what}: leave --mode "
                "out"
                + ("" if is_study else ", or give --workdir=FOLDER of one of its trainings alone")
            )
        return study.study if is_study else recipe.recipe
    return COMMANDS[mode or "train"]
