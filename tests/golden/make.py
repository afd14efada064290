"""Writes the checkpoint of this format that all later versions have to read.

    python -m tests.golden.make

The folder `format_<N>/` is a work directory after two steps of the tiny UAPS run, with what a
version that reads it has to find in `expected.json`. A folder that is there is not written again.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

from tests import tiny
from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.evaluation import evaluate
from uaps_jax.training import checkpoints, loop

FOLDER = Path(__file__).parent
STEPS = 3  # two, and one that a later version takes


def settings() -> config_lib.Config:
    """The configuration of the run, as of the version that wrote it."""
    config = tiny.config("uaps", steps=STEPS)
    config.train.eval_every, config.checkpoint.every = 2, 1
    return config_lib.validate(config)


def result(workdir: Path) -> dict[str, Any]:
    """The results of the checkpoint of step 2: scores, and some probabilities."""
    config = checkpoints.read_config(workdir, 2)
    method = methods.build(config)
    like = jax.eval_shape(lambda: method.variables(*method.init(0)))
    variables = checkpoints.restore_variables(workdir, 2, like)
    predictor = method.predictor(config.evaluation.predictor)
    pool = tiny.pools().val
    scores = evaluate.evaluate(
        evaluate.make_measure_function(predictor, config.data.classes, tiny.SCORE),
        variables,
        pool,
        tiny.CLASS_NAMES,
        config.evaluation.batch_size,
    )
    probabilities = np.asarray(jax.jit(predictor)(variables, pool.images[:1]))
    return {
        "scores": scores,
        "probabilities": probabilities[0, ::5, ::5].astype(float).round(6).tolist(),
        "record": checkpoints.read_record(workdir, 2),
    }


def last_loss(workdir: Path) -> float:
    """The loss of the step that is taken after the checkpoint."""
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return next(r["train/loss"] for r in lines if r["step"] == STEPS and "train/loss" in r)


def main() -> None:
    """Trains, and keeps the files that the test needs."""
    target = FOLDER / f"format_{checkpoints.FORMAT}"
    if target.exists():
        sys.exit(f"{target} is there; a format that is written down does not change")
    target.mkdir()
    record = tiny.record()
    loop.train(settings(), target, tiny.pools(), tiny.CLASS_NAMES, record)
    expected = result(target) | {"last_loss": last_loss(target)}
    for place in (*target.iterdir(), target / "checkpoints" / str(STEPS)):
        if place.is_file():
            place.unlink()
        elif place.name != "checkpoints":
            shutil.rmtree(place)
    for file in target.rglob("commit_success.txt"):
        file.write_text("")  # it names the folder in which it was written
    (target / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
