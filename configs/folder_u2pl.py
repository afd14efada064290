r"""U2PL on your own images: a folder with `images`, some `masks`, and `classes.yaml`.

python run.py --config=configs/folder_u2pl.py:small --workdir=runs/mine_u2pl \
    --config.data.manual_dir=FOLDER
"""

from uaps_jax.config import Config
from uaps_jax.configs.parts import datasets, methods, variants


def get_config(variant: str = "") -> Config:
    """Variants: ``small``, ``medium``."""
    config = methods.u2pl(datasets.folder())
    return variants.apply(config, variant)
