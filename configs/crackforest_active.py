"""Rounds of annotation on CrackForest, simulated: 4, 8, 16, 32 and 64 labeled photographs.

    python run.py --config=configs/crackforest_active.py:small

As `neu_active.py`; its score is the IoU of cracks over all pixels. A training of the small variant
takes about a minute of one CPU core. With 4, 8, 16, 32 and 64 random images it has 38.9, 39.1,
43.2, 41.5 and 42.8 (mean of two seeds).
"""

from uaps_jax.configs.parts import active
from uaps_jax.recipes.active import Active


def get_config(argument: str = "") -> Active:
    """A method or ``recommended``, a variant (``small``, ``medium``), or both with a comma."""
    return active.active(
        "crackforest",
        argument,
        small=active.Small(widths=(8, 16, 32, 64), size=64, batch=8, steps=800, crops=True),
        start_images=4,
        added=(4.0, 8.0, 16.0, 32.0),
        metric="dataset_iou_foreground",
    )
