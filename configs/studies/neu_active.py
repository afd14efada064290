"""Does a choice of images beat random ones? NEU-Seg, five budgets, five seeds, and five more.

The recipe of `configs/neu_active.py:small`: of 8, 16, 32, 64 and 128 leakage groups one image each
is labeled. The hybrid default, random and mean entropy begin with the same random images of a seed;
class-aware random begins with its own. 90 trainings.

    python run.py --config=configs/studies/neu_active.py --config.manual_dir=FOLDER
    python run.py --config=configs/studies/neu_active.py:further --config.manual_dir=FOLDER
    python run.py --config=configs/studies/neu_active.py:recommended --config.manual_dir=FOLDER

The second one has the default and random images with seeds 5 to 9, which had no part in the choice
of the default: 45 trainings. The third one has the recommended semi-supervised method at two
budgets, 32 and 128, with the default and random images of seeds 0 to 4: 15 trainings.
"""

from uaps_jax.configs.parts import rounds_study
from uaps_jax.study.rounds import Rounds

FURTHER = "further"
"""The argument of the study of further seeds."""


def get_config(argument: str = "") -> Rounds:
    """The study with supervised learning, of further seeds, or with another method."""
    is_further = argument == FURTHER
    study = rounds_study.study(
        "NEU-Seg, rounds of annotation",
        "neu_active",
        "" if is_further else argument,
        range(5, 10) if is_further else range(5),
        two_budgets=(32, 128),
    )
    if is_further:
        study.title += ", further seeds"
        study.overrides = {"baselines": ("random",)}
    return study
