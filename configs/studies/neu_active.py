"""Does a choice of images beat random ones? NEU-Seg, five budgets, five seeds.

The recipe of `configs/neu_active.py:small`: of 8, 16, 32, 64 and 128 leakage groups one image each
is labeled. The hybrid default, random and mean entropy begin with the same random images of a seed;
class-aware random begins with its own. 90 trainings.

    python run.py --config=configs/studies/neu_active.py --config.manual_dir=FOLDER
    python run.py --config=configs/studies/neu_active.py:recommended --config.manual_dir=FOLDER

The second one has the recommended semi-supervised method at two budgets, 32 and 128: 30 trainings.
"""

from uaps_jax.configs.parts import rounds_study
from uaps_jax.study.rounds import Rounds


def get_config(method: str = "") -> Rounds:
    """The study with supervised learning, or another method."""
    return rounds_study.study(
        "NEU-Seg, rounds of annotation", "neu_active", method, range(5), two_budgets=(32, 128)
    )
