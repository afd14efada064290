"""Rounds of annotation on NEU-Seg, simulated: 8, 16, 32, 64 and 128 labeled pictures.

    python run.py --config=configs/neu_active.py:small

Compares the default choice with random, class-aware random and mean entropy, from the same start
where they have one. Other methods: `neu_active.py:small,recommended`. Several seeds:
`configs/studies/neu_active.py`.

A training of the small variant takes less than two minutes of one CPU core, and is long enough for
the score to grow with the labels: 48.9, 60.5 and 62.8 `image_iou` with 8, 32 and 128 random ones
(single runs). With 800 steps at 64 px, 1e-3, dropout and 4 images, 128 labels scored hardly more
than 8 (43.9 and 42.6).
"""

from uaps_jax.config import Config
from uaps_jax.configs.parts import active, variants
from uaps_jax.models.unet import UNetConfig
from uaps_jax.recipes.active import Active

WIDTHS = (16, 32, 64, 128)  # of the small variant


def get_config(argument: str = "") -> Active:
    """A method or ``recommended``, a variant (``small``, ``medium``), or both with a comma."""
    recipe = active.active("neu", argument, start_images=8, added=(8.0, 16.0, 32.0, 64.0))
    if "small" in argument.split(","):
        _fit_fast(recipe.base)
    return recipe


def _fit_fast(base: Config) -> None:
    assert isinstance(base.network, UNetConfig)
    base.network.widths, base.network.dropout = WIDTHS, (0.0,) * len(WIDTHS)
    variants.shorten(base, size=32, batch=8, steps=1500)
    base.data.resampling = "area"
    base.optimizer.learning_rate = 3e-3
    base.train.eval_every = base.checkpoint.every = base.train.steps
