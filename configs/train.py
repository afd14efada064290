"""Any method on any dataset, without a file of its own.

    python run.py --config=configs/train.py:dataset=folder,variant=small \
        --config.data.manual_dir=FOLDER

After the colon, in any order:

- `dataset`: one of `configs/parts/datasets.py`, with its views, batch and steps.
- `method`: one of `configs/parts/methods.py`, with its loss weights; ramps take the method's usual
  fraction of the steps. Left out, it is the one that is recommended for few labels
  (`methods.recommended`).
- `network`: a family of `configs/parts/networks.py`; `unet` if left out.
- `variant`: `small` or `medium`, a run of minutes; left out, the whole run.

Settings that were published are files of their own, such as `configs/neu_uaps.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

from uaps_jax.config import Config
from uaps_jax.configs.parts import choices, networks, variants
from uaps_jax.configs.parts.datasets import DATASETS
from uaps_jax.configs.parts.methods import METHODS, recommended
from uaps_jax.configs.parts.networks import NETWORKS

PARTS: dict[str, Iterable[str]] = {
    "dataset": DATASETS,
    "method": METHODS,
    "network": NETWORKS,
    "variant": variants.VARIANTS,
}


def get_config(argument: str = "") -> Config:
    """`dataset=NAME[,method=NAME][,network=NAME][,variant=NAME]`.

    Raises:
      ConfigError: with everything that is wrong with the argument, and the names there are.
    """
    return build(**choices.parse(argument, PARTS, required=("dataset",)))


def build(*, dataset: str, method: str = "", network: str = "unet", variant: str = "") -> Config:
    """The configuration of a method on a dataset, from Python."""
    config = DATASETS[dataset]()
    networks.choose(config, network)
    (METHODS[method] if method else recommended)(config)
    return variants.apply(config, variant)
