"""ST++ on the magnetic tiles, PPL's list of 137 labeled images: a teacher and two students.

    python run.py --config=configs/mtiles_stpp.py:small
    python run.py --config=configs/mtiles_stpp.py --config.base.network.pretrained=FILE

Published, MTD 1/8, ResNet-18: none for ST++ itself; PPL, which adds to it, 53.66 dataset_iou. The
lengths are PPL's. The variant is a run of minutes on the U-Net at 64 px.
"""

from uaps_jax.configs.parts import datasets, progressive
from uaps_jax.recipes.progressive import Progressive


def get_config(variant: str = "") -> Progressive:
    """Variants: ``small``, ``medium``."""
    base = datasets.mtiles(name="mtiles/all", protocol="ppl", labeled_count=137)
    if not variant:
        progressive.with_published_network(base, learning_rate=1e-3, side=512)
        base.train.eval_every = 117
    return progressive.stpp(base, (1955, 13_455, 26_910), variant)
