"""URN on the magnetic tiles with a defect: ellipses around the defects in place of their masks.

    python run.py --config=configs/mtiles_urn.py:small
    python run.py --config=configs/mtiles_urn.py --config.base.network.pretrained=FILE

FILE has torchvision's ResNet-101. The ellipses are made of the masks, which are hidden from the
training; one image is learnt of every leakage group of the training part but one, which a ratio
leaves out. No published score. The small variant is a run of minutes on EfficientNet-Lite0 at
128 px, which needs the extra `pretrained`; the medium one is on a U-Net at 64 px.
"""

from uaps_jax.configs.parts import datasets, small_runs, urn
from uaps_jax.recipes.response_scaling import ResponseScaling


def get_config(variant: str = "") -> ResponseScaling:
    """Variants: ``small``, ``medium``."""
    base = datasets.mtiles(protocol="grouped", labeled_ratio=urn.ALMOST_ALL)
    base.data.rough.kind = "ellipse"
    if not variant:
        urn.segmentor(base)
    return urn.urn(base, variant, small_runs.MTILES)
