"""Does a choice of images beat random ones? NEU-Seg, five budgets, five seeds.

The recipe of `configs/neu_active.py:small`: of 8, 16, 32, 64 and 128 leakage groups one image each
is labeled. The hybrid default, random and mean entropy begin with the same random images of a seed;
class-aware random begins with its own. 90 trainings.

    python run.py --config=configs/studies/neu_active.py --config.manual_dir=FOLDER
    python run.py --config=configs/studies/neu_active.py:fixmatch --config.manual_dir=FOLDER

The second one has a semi-supervised method in every round.
"""

from uaps_jax.configs.parts import rounds_study
from uaps_jax.study.rounds import Rounds


def get_config(method: str = "") -> Rounds:
    """The study with supervised learning, or another method."""
    return rounds_study.study("NEU-Seg, rounds of annotation", "neu_active", method, seeds=range(5))
