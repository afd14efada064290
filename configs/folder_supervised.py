r"""Only the annotated images of your own folder: the baseline of UAPS.

python run.py --config=configs/folder_supervised.py:small --workdir=runs/mine_supervised \
    --config.data.manual_dir=FOLDER

Large photographs with small defects: add --config.data.fit=crop --config.data.defect_share=0.5
"""

from uaps_jax.config import Config
from uaps_jax.configs.parts import datasets, methods, variants


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = methods.supervised(datasets.folder())
    return variants.apply(config, variant)
