"""URN on NEU-Seg: ellipses around the defects in place of their masks.

    python run.py --config=configs/neu_urn.py:small
    python run.py --config=configs/neu_urn.py --config.base.network.pretrained=FILE

FILE has torchvision's ResNet-101. The ellipses are made of the masks, which are hidden from the
training; one image is learnt of every leakage group of the training part but one, which a ratio
leaves out. No published score: URN's segmentor and its settings are those of PASCAL VOC. The
small variant is a run of minutes on a U-Net at 32 px, the medium one at 64 px.
"""

from uaps_jax.configs.parts import datasets, small_runs, urn
from uaps_jax.recipes.response_scaling import ResponseScaling


def get_config(variant: str = "") -> ResponseScaling:
    """Variants: ``small``, ``medium``."""
    base = datasets.neu_seg(protocol="grouped", labeled_ratio=urn.ALMOST_ALL)
    base.data.rough.kind = "ellipse"
    if not variant:
        # 200 px, which the stride does not divide, are padded.
        base.data.fit, base.data.height, base.data.width = "pad", 224, 224
        urn.segmentor(base)
    return urn.urn(base, variant, small_runs.NEU)
