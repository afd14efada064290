"""PPL on the magnetic tiles, its lists of 137, 270 or 538 labeled images.

    python run.py --config=configs/mtiles_ppl.py:small
    python run.py --config=configs/mtiles_ppl.py:1_8 --config.base.network.pretrained=FILE

FILE has torchvision's ResNet-18. Published dataset_iou, most likely with it, one-stage, two-stage
and progressive: 51.85, 52.24, 53.66 (1/8); 58.95, 59.16, 60.51 (1/4); 68.62, 68.70, 69.63 (1/2). It
is that of the best epoch on the test images. The small variant is a run on
EfficientNet-Lite0 at 128 px, which needs the extra `pretrained`; the medium one is on a U-Net at
64 px.
"""

from uaps_jax.configs.parts import ppl, progressive
from uaps_jax.recipes.progressive import Progressive


def get_config(argument: str = "") -> Progressive:
    """Lists: ``1_8``, ``1_4``, ``1_2``; variants of ``1_8``: ``small``, ``medium``."""
    return progressive.published(progressive.ppl, ppl.MTILES, argument)
