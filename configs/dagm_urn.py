"""URN on DAGM 2007, six classes: its masks are ellipses around the defects.

    python run.py --config=configs/dagm_urn.py:small
    python run.py --config=configs/dagm_urn.py --config.base.network.pretrained=FILE

FILE has torchvision's ResNet-101. There are no exact masks, of the test images neither: a mask that
follows the defect has a lower score than its ellipse. Look at `targets/cyclic`. No published score.
The variants are runs of minutes on a U-Net at 64 px.
"""

from uaps_jax.configs.parts import datasets, urn
from uaps_jax.recipes.response_scaling import ResponseScaling


def get_config(variant: str = "") -> ResponseScaling:
    """Variants: ``small``, ``medium``."""
    base = datasets.dagm(labeled_ratio=1.0)
    if not variant:
        base.data.height = base.data.width = 512
        urn.segmentor(base)
    return urn.urn(base, variant)
