"""Thirty annotated pictures of NEU-Seg on a pretrained encoder, at a size that a CPU trains.

EfficientNet-Lite0 with its published weights, which are in the extra `pretrained`; 128 px, 4 + 4
images, 1500 steps of Adam with a cosine to 0, the encoder at 3e-4 and its decoder at 3e-3, as in
the small runs of the magnetic tiles, where they were chosen; scores of the last step. Protocol
`grouped`: of 30 leakage groups one image each is labeled, and copies of labeled pictures are in no
part. Each seed draws its own labeled images.

    python run.py --config=configs/studies/thirty_pretrained.py

Behind the colon, with commas, some of the methods `supervised`, `recommended`, `dirichlet_match`.
On one core, a training of 1500 steps takes 8, 20 and 40 minutes.
"""

from uaps_jax.configs.parts import choices, small_runs
from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Bars, Block, Grid, Panels

METHODS = {
    "supervised": "supervised",
    "recommended": "recommended",
    "dirichlet_match": "Dirichlet Match",
}
BUDGET = 30


def get_config(argument: str = "") -> Grid:
    """The study, of all three methods or some.

    Raises:
      ConfigError: there is no such method.
    """
    words = [word for word in argument.split(",") if word]
    for word in words:
        choices.require("method", word, METHODS)
    names = tuple(METHODS[word] for word in words or METHODS)
    small = small_runs.MTILES
    entries = base.of_thirty(small.network)
    grid = base.study(
        "NEU-Seg, 30 labeled pictures, 128 px, pretrained EfficientNet-Lite0",
        {name: entries[name] for name in names},
    )
    grid.variant = "small"
    grid.overrides = {
        "data.protocol": "grouped",
        "train.eval_every": 500,
        "checkpoint.every": 500,
        **base.short(small),
    }
    grid.ramp_share = 0.0
    grid.split_follows_seed = True
    grid.checkpoint = "latest"
    grid.workers = 2
    grid.blocks = tuple(
        Block(entries=names, datasets=("neu",), budgets=(BUDGET,), seeds=(seed,))
        for seed in (0, 1, 2)
    )
    here = {"dataset": "neu", "budget": BUDGET}
    grid.figures = (
        Bars(title="30 labeled pictures", entries=names, **here),
        Panels(title="30 labels", entries=names, images=6, **here),
    )
    return grid
