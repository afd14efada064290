r"""UAPS on your own images: a folder with `images`, some `masks`, and `classes.yaml`.

python run.py --config=configs/folder_uaps.py:small --workdir=runs/mine_small \
    --config.data.manual_dir=FOLDER

Large photographs with small defects: add --config.data.fit=crop --config.data.defect_share=0.5
"""

from uaps_jax.config import Config
from uaps_jax.configs.parts import datasets, methods, variants


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = methods.uaps(datasets.folder())
    return variants.apply(config, variant)
