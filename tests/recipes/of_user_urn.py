"""URN in seconds on a user's folder, of ellipses around its defects."""

from uaps_jax.configs.parts import datasets, urn
from uaps_jax.recipes.response_scaling import ResponseScaling

STEPS = 40
"""So many that the network is surer of some pixels than of others."""


def get_config(root: str) -> ResponseScaling:
    """`STEPS` steps of each phase."""
    return of(root, weightings=("none", "hard", "threshold", "oracle"))


def of(root: str, **settings) -> ResponseScaling:
    """With settings of the recipe."""
    base = datasets.folder(
        manual_dir=f"{root}/mine", data_dir=f"{root}/built", shares=(0.6, 0.2, 0.2)
    )
    recipe = urn.urn(base, "small", **({"views": (1.0, 2.0)} | settings))
    base.data.height = base.data.width = 16
    base.network.widths, base.network.dropout = (4, 6), (0.0, 0.3)
    recipe.phase_1_steps = base.train.steps = base.train.eval_every = STEPS
    base.checkpoint.every, base.train.log_every = STEPS // 2, STEPS // 2
    base.train.batch_labeled, base.evaluation.batch_size = 2, 4
    if recipe.start == "rough" and not recipe.masks:
        base.data.rough.kind = "ellipse"
    return recipe
