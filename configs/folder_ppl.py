r"""PPL on your own images: a folder with `images`, some `masks`, and `classes.yaml`.

python run.py --config=configs/folder_ppl.py:small --workdir=runs/mine_ppl \
    --config.base.data.manual_dir=FOLDER

On UAPS's U-Net with Adam. Of every kind of image, by its pseudo-label, the better half is learnt
first: among all, most of the better half have no defect.
"""

from uaps_jax.configs.parts import datasets, progressive
from uaps_jax.recipes.progressive import Progressive


def get_config(variant: str = "") -> Progressive:
    """Variants: ``small``, ``medium``."""
    return progressive.ppl(datasets.folder(), (20_000, 20_000, 20_000), variant, balanced=True)
