"""Recipes of seconds on a user's folder; that of `get_config`, PPL, can kill its own process.

`KILL_AT=TEXT:N` ends it by SIGKILL before the N-th writing of a file or of a checkpoint whose path
holds the text.
"""

import os
import signal

from uaps_jax import files
from uaps_jax.configs.parts import datasets, progressive, refinement
from uaps_jax.configs.parts.progressive import Make
from uaps_jax.recipes.label import label
from uaps_jax.recipes.progressive import Progressive
from uaps_jax.recipes.stage import Pass
from uaps_jax.training import checkpoints


def get_config(root: str) -> Progressive:
    """Four steps of a teacher, two of the first student and four of the second."""
    return of(progressive.ppl, root, (4, 2, 4))


def of(make: Make, root: str, steps: tuple[int, ...]) -> Progressive:
    """A recipe with these steps of its teacher and its students."""
    base = datasets.folder(
        manual_dir=f"{root}/mine",
        data_dir=f"{root}/built",
        shares=(0.6, 0.2, 0.2),
        labeled_count=3,
    )
    recipe = make(base, steps, "small", scales=(1.0, 0.5))
    recipe.student_steps = steps[1:]
    base.data.height = base.data.width = 16
    base.network.widths, base.network.dropout = (4, 6), (0.0, 0.3)
    base.train.steps, base.train.eval_every, base.checkpoint.every = steps[0], 4, 2
    base.train.batch_labeled = base.train.batch_unlabeled = 2
    base.train.log_every, base.evaluation.batch_size = 1, 4
    return recipe


def label_all(folder: str) -> Pass:
    """The stage "label", which labels all unlabeled images by the teacher, without a ranking."""
    return label(
        name="label",
        folder=folder,
        model="teacher",
        ranking_of="",
        part="",
        scales=(1.0,),
        flip=False,
        crf=refinement.no_crf(),
    )


if "KILL_AT" in os.environ:
    text, _, count = os.environ["KILL_AT"].rpartition(":")
    left = [int(count)]
    usual_bytes, usual_save = files.write_bytes, checkpoints.save

    def note(path):
        left[0] -= text in str(path)
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def write_bytes(path, content):
        note(path)
        usual_bytes(path, content)

    def save(manager, *rest):
        note(manager.directory)
        usual_save(manager, *rest)

    files.write_bytes, checkpoints.save = write_bytes, save
