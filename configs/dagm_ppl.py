"""PPL on DAGM 2007, the images with a defect, its lists of 65, 130, 260 or 521 labeled ones.

    python run.py --config=configs/dagm_ppl.py:small
    python run.py --config=configs/dagm_ppl.py:1_8 --config.base.network.pretrained=FILE

FILE has torchvision's ResNet-18. Learning rate and epochs are not published for this dataset; they
are those of the magnetic tiles. Which image has which number in the lists is an assumption, see
datasets/dagm/README.md. The variants are runs of minutes on a U-Net at 64 px.
"""

from uaps_jax.configs.parts import ppl, progressive
from uaps_jax.recipes.progressive import Progressive


def get_config(argument: str = "") -> Progressive:
    """Lists: ``1_16``, ``1_8``, ``1_4``, ``1_2``; variants of ``1_8``: ``small``, ``medium``."""
    return progressive.published(progressive.ppl, ppl.DAGM, argument)
