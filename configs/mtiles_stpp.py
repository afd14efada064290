"""ST++ on the magnetic tiles, PPL's lists of labeled images: a teacher and two students.

    python run.py --config=configs/mtiles_stpp.py:small
    python run.py --config=configs/mtiles_stpp.py:1_8 --config.base.network.pretrained=FILE

Published, MTD 1/8, ResNet-18: none for ST++ itself; PPL, which adds to it, 53.66 dataset_iou. The
lengths are PPL's. The small variant is a run on EfficientNet-Lite0 at 128 px, which needs the extra
`pretrained`; the medium one is on a U-Net at 64 px.
"""

from uaps_jax.configs.parts import ppl, progressive
from uaps_jax.recipes.progressive import Progressive


def get_config(argument: str = "") -> Progressive:
    """Lists: ``1_8``, ``1_4``, ``1_2``; variants of ``1_8``: ``small``, ``medium``."""
    return progressive.published(progressive.stpp, ppl.MTILES, argument)
