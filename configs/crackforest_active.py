"""Rounds of annotation on CrackForest, simulated: 4, 8, 16, 32 and 64 labeled photographs.

    python run.py --config=configs/crackforest_active.py:small

As `neu_active.py`; its score is the IoU of cracks over all pixels. The small variant is trained on
crops of the photographs at full scale, a minute and a half of one CPU core each.
"""

from uaps_jax.configs.parts import active, small_runs
from uaps_jax.recipes.active import Active


def get_config(argument: str = "") -> Active:
    """A method or ``recommended``, a variant (``small``, ``medium``), or both with a comma."""
    return active.active(
        "crackforest",
        argument,
        small=small_runs.CRACKS,
        start_images=4,
        added=(4.0, 8.0, 16.0, 32.0),
        metric="dataset_iou_foreground",
    )
