r"""Does a choice of images beat random ones? CrackForest, five budgets, three seeds.

The recipe of `configs/crackforest_active.py:small`: 4, 8, 16, 32 and 64 labeled photographs. 54
trainings.

    python run.py --config=configs/studies/crackforest_active.py --config.manual_dir=FOLDER
    python run.py --config=configs/studies/crackforest_active.py:recommended \
        --config.manual_dir=FOLDER

The second one has the recommended semi-supervised method at two budgets, 16 and 64, with the
default and random images: 9 trainings.
"""

from uaps_jax.configs.parts import rounds_study
from uaps_jax.study.rounds import Rounds


def get_config(method: str = "") -> Rounds:
    """The study with supervised learning, or another method."""
    return rounds_study.study(
        "CrackForest, rounds of annotation",
        "crackforest_active",
        method,
        range(3),
        two_budgets=(16, 64),
    )
