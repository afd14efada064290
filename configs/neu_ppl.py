"""PPL on NEU-Seg, its lists of 226, 453, 907 or 1815 labeled images.

    python run.py --config=configs/neu_ppl.py:small
    python run.py --config=configs/neu_ppl.py:1_8 --config.base.network.pretrained=FILE

FILE has torchvision's ResNet-18. No published score could be had. PPL's images have 200 px; here
they are padded to 224, a multiple of the stride of the network. The variants are runs of minutes on
a U-Net at 32 px (small) or 64 px.
"""

from uaps_jax.configs.parts import ppl, progressive
from uaps_jax.recipes.progressive import Progressive


def get_config(argument: str = "") -> Progressive:
    """Lists: ``1_16``, ``1_8``, ``1_4``, ``1_2``; variants of ``1_8``: ``small``, ``medium``."""
    return progressive.published(progressive.ppl, ppl.NEU, argument)
