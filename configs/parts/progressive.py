"""Recipes of training in stages, on a base configuration of a dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from uaps_jax import config as c
from uaps_jax.configs.parts import choices, datasets, methods, refinement, small_runs, variants
from uaps_jax.configs.parts import ppl as settings_of_ppl
from uaps_jax.configs.parts.ppl import Setting
from uaps_jax.losses.masked import LossForm
from uaps_jax.recipes.progressive import Progressive

STPP: dict[str, Any] = {
    "score": "stability",
    "checkpoints": (1 / 3, 2 / 3),
    "easy": 0.5,
    "balanced": False,
    "scales": (0.5, 0.75, 1.0, 1.5, 2.0),
    "flip": True,
}
"""ST++'s settings."""

PPL: dict[str, Any] = STPP | {"score": "sir"}
"""PPL's, repaired: with the test-time augmentation that its released code leaves out."""

LOSS: LossForm = "cross_entropy_and_dice"
"""Of shortened runs, and of your own images; published is cross-entropy.

All magnetic tiles at 128 px, the teacher of one seed after 1500 steps: its test dataset_iou is
56.3; with cross-entropy alone 37.7, because it hardly finds the small kinds of defects.
"""

STUDENT_LENGTH = 2
"""Steps of a student in a shortened run, as a multiple of those of its teacher.

Half of a student's batch is labeled; with twice the steps it sees the labeled images as often.
All magnetic tiles at 128 px, the student of ST of one seed: its test dataset_iou is 56.3, as that
of its teacher; with the steps of the teacher 41.5.
"""

SHORT_LIST = "1_8"
"""The list of labeled images of a shortened run, and of a recipe without an argument."""

Make = Callable[..., Progressive]
"""`stpp` or `ppl`."""


def stpp(
    base: c.Config,
    steps: Sequence[int],
    variant: str,
    small: small_runs.SmallRun = small_runs.USUAL,
    loss: LossForm = LOSS,
    **settings: Any,
) -> Progressive:
    """ST++.

    Args:
      base: the dataset with its network, its views and its optimizer.
      steps: of the teacher and of each student; in a shortened run, the teacher has those of the
        variant, and a student `STUDENT_LENGTH` times as many.
      variant: "", or a shortened run on a network of its own.
      small: the trainings of the small variant.
      loss: of all trainings.
      **settings: of `Progressive`, which replace those of ST++.
    """
    return _in_stages(
        base, steps, variant, small, loss, methods.self_training, STPP | _scales(variant) | settings
    )


def ppl(
    base: c.Config,
    steps: Sequence[int],
    variant: str,
    small: small_runs.SmallRun = small_runs.USUAL,
    loss: LossForm = LOSS,
    **settings: Any,
) -> Progressive:
    """PPL, repaired; arguments as for `stpp`."""
    return _in_stages(
        base, steps, variant, small, loss, methods.ppl, PPL | _scales(variant) | settings
    )


def _scales(variant: str) -> dict[str, Any]:
    """The scales of test-time augmentation in a shortened run, one: its images are small already.

    All magnetic tiles at 128 px, the teacher of one seed: its 936 pseudo-labels have a dataset_iou
    of 34.3 without augmentation, 34.3 with mirrored images, and 30.2 with five scales as well.
    """
    return {"scales": (1.0,)} if variant else {}


def published(make: Make, setting: Setting, argument: str) -> Progressive:
    """A recipe in PPL's setting of a dataset, with one of its lists of labeled images.

    Args:
      make: the recipe.
      setting: of the dataset.
      argument: name of a list, or of a shortened run, which has the list `SHORT_LIST`.

    Raises:
      ConfigError: the argument is neither.
    """
    if argument:
        choices.require("list or variant", argument, (*setting.labeled, *variants.VARIANTS))
    variant = argument if argument in variants.VARIANTS else ""
    ratio = argument if argument and not variant else SHORT_LIST
    lengths = setting.lengths(ratio)
    if variant:
        base = settings_of_ppl.with_list(setting, ratio)
    else:
        base = settings_of_ppl.published(setting, ratio)
    return make(
        base,
        [length.steps for length in lengths],
        variant,
        setting.small,
        LOSS if variant else "cross_entropy",
        checkpoints=thirds(lengths.teacher.epochs),
    )


PRETRAINED = "pretrained"
"""The variant of your own images on EfficientNet-Lite0, with the size and steps of the tiles."""

OF_FOLDER = {"small": small_runs.USUAL, PRETRAINED: small_runs.MTILES}
"""Variants of your own images -> their trainings."""


def of_folder(make: Make, argument: str) -> Progressive:
    """A recipe on your own images, in which the easy ones are of every kind.

    Args:
      make: the recipe.
      argument: name of a shortened run, of `variants.VARIANTS` or `PRETRAINED`; "" for none.

    Raises:
      ConfigError: there is no such run.
    """
    if argument:
        choices.require("variant", argument, (*variants.VARIANTS, PRETRAINED))
    variant = "small" if argument in OF_FOLDER else argument
    small = OF_FOLDER.get(argument, small_runs.USUAL)
    return make(datasets.folder(), (20_000,) * 3, variant, small, balanced=True)


def thirds(epochs: int) -> tuple[float, float]:
    """The ends of the epochs floor(E / 3) and floor(2 E / 3), as shares of E epochs."""
    return epochs // 3 / epochs, 2 * epochs // 3 / epochs


def _in_stages(
    base: c.Config,
    steps: Sequence[int],
    variant: str,
    small: small_runs.SmallRun,
    loss: LossForm,
    of_student: Callable[..., c.Config],
    settings: dict[str, Any],
) -> Progressive:
    small_runs.choose_network(base, variant, small)
    of_student(base, loss=loss)
    small_runs.apply(base, variant, small)
    student = base.method
    methods.supervised(base, loss=loss)
    if variant:
        students = [STUDENT_LENGTH * base.train.steps] * (len(steps) - 1)
        steps = [base.train.steps, *students]
    base.train.steps = steps[0]
    return Progressive(
        base=base,
        student=student,
        student_steps=tuple(steps[1:]),
        crf=refinement.no_crf(),
        **settings,
    )
