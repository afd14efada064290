"""Rounds of annotation on NEU-Seg, simulated: 8, 16, 32, 64 and 128 labeled pictures.

    python run.py --config=configs/neu_active.py:small

Compares the default choice with random, class-aware random and mean entropy, from the same start
where they have one. Other methods: `neu_active.py:small,recommended`. Several seeds:
`configs/studies/neu_active.py`.

It needs the extra `pretrained`. A training of the small variant takes about a minute of one CPU
core. With 8, 16, 32, 64 and 128 random images it has 45.9, 53.5, 57.9, 61.2 and 63.2 `image_iou`
(mean of ten seeds).
"""

from uaps_jax.configs.parts import active, small_runs
from uaps_jax.recipes.active import Active


def get_config(argument: str = "") -> Active:
    """A method or ``recommended``, a variant (``small``, ``medium``), or both with a comma."""
    return active.active(
        "neu",
        argument,
        small=small_runs.NEU,
        start_images=8,
        added=(8.0, 16.0, 32.0, 64.0),
    )
