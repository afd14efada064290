r"""URN on your own images: a folder with `images`, rough `masks`, and `classes.yaml`.

python run.py --config=configs/folder_urn.py:small --workdir=runs/mine_urn \
    --config.base.data.manual_dir=FOLDER

Masks may be ellipses, boxes, or strokes with the value of `ignore` elsewhere. On UAPS's U-Net with
Adam. Scores are by your own masks, also where these are rough.
"""

from uaps_jax.configs.parts import datasets, urn
from uaps_jax.recipes.response_scaling import ResponseScaling


def get_config(variant: str = "") -> ResponseScaling:
    """Variants: ``small``, ``medium``."""
    return urn.urn(datasets.folder(), variant)
