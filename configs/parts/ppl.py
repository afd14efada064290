"""The published settings of PPL (TNNLS 2023): what its trainings share, and their lengths.

Its released code has one learning rate and one number of epochs, for the ratio 1/2, for each
dataset; `ppl_lengths` has the rule for the other ratios.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from uaps_jax import config as c
from uaps_jax.configs.parts import datasets, networks, ppl_lengths, small_runs
from uaps_jax.configs.parts.ppl_lengths import Lengths
from uaps_jax.configs.parts.views import view

BATCH = 8
"""Images of a step; half of them are unlabeled in the trainings with pseudo-labels."""


class Setting(NamedTuple):
    """The published setting of a dataset.

    Attributes:
      dataset: its configuration, from settings of `data`.
      data: these settings, without those of the size.
      size: likewise, of the size.
      labeled: name of a list, its ratio as `1_8` -> number of its labeled images.
      train: number of labeled and unlabeled images together.
      learning_rate: of the encoder.
      epochs_at_half: at the ratio 1/2.
      small: the trainings of the small variant.
    """

    dataset: Callable[..., c.Config]
    data: Mapping[str, Any]
    size: Mapping[str, Any]
    labeled: Mapping[str, int]
    train: int
    learning_rate: float
    epochs_at_half: int
    small: small_runs.SmallRun

    def lengths(self, ratio: str) -> Lengths:
        """The lengths of the trainings with a list."""
        labeled = self.labeled[ratio]
        return ppl_lengths.lengths(
            Fraction(ratio.replace("_", "/")),
            at_half=self.epochs_at_half,
            labeled=labeled,
            unlabeled=self.train - labeled,
            batch=BATCH,
        )


NEU = Setting(
    dataset=datasets.neu_seg,
    data={},
    # 200 px, which the stride does not divide, are padded.
    size={"fit": "pad", "height": 224, "width": 224},
    labeled={"1_16": 226, "1_8": 453, "1_4": 907, "1_2": 1815},
    train=3630,
    learning_rate=0.01,
    epochs_at_half=100,
    small=small_runs.NEU,
)
MTILES = Setting(
    dataset=datasets.mtiles,
    data={"name": "mtiles/all"},
    size={"height": 512, "width": 512},
    labeled={"1_8": 137, "1_4": 270, "1_2": 538},
    train=1073,
    learning_rate=0.001,
    epochs_at_half=200,
    small=small_runs.ALL_MTILES,
)
DAGM = Setting(
    dataset=datasets.dagm,
    data={"name": "dagm/ten_defective", "classes": 11},
    size={"height": 512, "width": 512},
    labeled={"1_16": 65, "1_8": 130, "1_4": 260, "1_2": 521},
    train=1046,
    # Not published; those of the magnetic tiles, of which there are as many images.
    learning_rate=0.001,
    epochs_at_half=200,
    small=small_runs.USUAL,
)


def with_list(setting: Setting, ratio: str, **data: Any) -> c.Config:
    """The dataset's own configuration with a list of labeled images.

    Args:
      setting: of the dataset.
      ratio: name of the list.
      **data: further settings of `data`.
    """
    labeled = setting.labeled[ratio]
    return setting.dataset(**setting.data, **data, protocol="ppl", labeled_count=labeled)


def published(setting: Setting, ratio: str) -> c.Config:
    """What the trainings share: DeepLabV3+ on ResNet-18, SGD, weak views that are mirrored."""
    config = with_list(setting, ratio, **setting.size)
    config.network = networks.deeplabv3plus_resnet18()
    networks.normalize(config)
    config.views.labeled, config.views.unlabeled = view(hflip=0.5), view(hflip=0.5)
    optimizer, train = config.optimizer, config.train
    optimizer.name, optimizer.schedule, optimizer.poly_power = "sgd", "poly", 0.9
    optimizer.learning_rate, optimizer.decoder_multiple = setting.learning_rate, 10.0
    optimizer.momentum, optimizer.weight_decay = 0.9, 1e-4
    optimizer.decay_biases_and_norms = True
    train.batch_labeled = train.batch_unlabeled = BATCH // 2
    train.eval_every = setting.lengths(ratio).first.per_epoch
    config.evaluation.batch_size = 4
    return config
