"""The methods, by the name that `configs/train.py` takes.

Every function changes a configuration in place to train its method, and returns it. Settings of the
method that are named replace its own. A ramp that is not named takes the method's usual fraction
of the steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uaps_jax import config as c
from uaps_jax.configs.parts.views import (
    WEAK_TO_STRONG_VIEW,
    geometry,
    photometric,
    view,
    weak_to_strong,
)
from uaps_jax.methods.augseg import AugsegConfig
from uaps_jax.methods.bcp import BcpConfig
from uaps_jax.methods.cct import CctConfig
from uaps_jax.methods.cpcl import CpclConfig
from uaps_jax.methods.cps import CpsConfig
from uaps_jax.methods.dct import DctConfig
from uaps_jax.methods.dirichlet_match import DirichletMatchConfig
from uaps_jax.methods.dueb import DuebConfig
from uaps_jax.methods.fixmatch import FixmatchConfig
from uaps_jax.methods.mean_teacher import MeanTeacherConfig
from uaps_jax.methods.ppl import PplConfig
from uaps_jax.methods.prevmatch import PrevmatchConfig
from uaps_jax.methods.seam import SeamConfig
from uaps_jax.methods.self_training import SelfTrainingConfig
from uaps_jax.methods.supervised import SupervisedConfig
from uaps_jax.methods.u2pl import U2plConfig
from uaps_jax.methods.ua_mt import UaMtConfig
from uaps_jax.methods.uaps import UapsConfig
from uaps_jax.methods.ucc import UccConfig
from uaps_jax.methods.unimatch_v1 import UnimatchV1Config
from uaps_jax.methods.unimatch_v2 import UnimatchV2Config
from uaps_jax.methods.urn import UrnConfig

SUPERVISED: dict[str, Any] = {"loss": "cross_entropy_and_dice", "ema_decay": 0.0}


def supervised(config: c.Config, **settings: Any) -> c.Config:
    """One decoder on clean features, labeled images only."""
    config.network.auxiliary = 0
    config.method = SupervisedConfig(**(SUPERVISED | settings))
    return config


def self_training(config: c.Config, **settings: Any) -> c.Config:
    """ST++'s student, with the loss of the other methods; `data.targets.folders` has its labels."""
    config.network.auxiliary = 0
    config.views.unlabeled = view(
        **geometry(config.views.unlabeled), **(WEAK_TO_STRONG_VIEW | {"cutout": 0.5})
    )
    config.method = SelfTrainingConfig(**({"loss": "cross_entropy_and_dice"} | settings))
    return config


def uaps(config: c.Config, **settings: Any) -> c.Config:
    """UAPS as released: three auxiliary decoders."""
    released: dict[str, Any] = {
        "mixing": "dirichlet",
        "rectify": "scalar",
        "detach_mean": False,
        "detach_weight": False,
        "weight_pseudo": 0.1,
        "weight_uncertainty": 0.1,
        "ramp_uncertainty": True,
        "weight_energy": 0.0,
        "energy": "released",
        "energy_margins": (-6.0, -3.0),
        "perturb_at_eval": True,
    }
    config.network.auxiliary = 3
    return _with_method(config, UapsConfig, released, settings)


TEACHER: dict[str, Any] = {
    "weight": 0.1,
    "ema_decay": 0.99,
    "noise_scale": 0.1,
    "noise_clip": 0.2,
    "teacher_mode": "train",
    "average_statistics": False,
}
"""The released settings of a teacher and its student."""


def mean_teacher(config: c.Config, **settings: Any) -> c.Config:
    """Mean Teacher as released; the consistency starts after 3 % of the steps."""
    config.network.auxiliary = 0
    return _with_method(config, MeanTeacherConfig, TEACHER | {"delay": 0}, settings)


def ua_mt(config: c.Config, **settings: Any) -> c.Config:
    """UA-MT as released: eight predictions of the teacher."""
    config.network.auxiliary = 0
    released = TEACHER | {"samples": 8, "threshold": "released", "normalizer": "released"}
    return _with_method(config, UaMtConfig, released, settings)


def cct(config: c.Config, **settings: Any) -> c.Config:
    """CCT as released: UAPS's network, its dropout at 0.3."""
    config.network.auxiliary, config.network.perturb_dropout = 3, 0.3
    config.optimizer.learning_rate = 2e-3
    return _with_method(config, CctConfig, {"weight": 0.1}, settings)


def cps(config: c.Config, **settings: Any) -> c.Config:
    """CPS as released: two networks."""
    config.network.auxiliary = 0
    return _with_method(config, CpsConfig, {"weight": 0.1}, settings)


def dct(config: c.Config, **settings: Any) -> c.Config:
    """DCT as released: rotations by quarter turns."""
    config.network.auxiliary = 0
    return _with_method(config, DctConfig, {"weight": 0.1, "detach": False}, settings)


def ucc(config: c.Config, **settings: Any) -> c.Config:
    """UCC as released, with its own views: unlabeled images are neither rotated nor mirrored."""
    released: dict[str, Any] = {
        "weight": 0.1,
        "rectify": "scalar",
        "cutmix": 0.2,
        "paste": 0.3,
        "strong": photometric(blur=0.3, jitter=0.3, pixel_dropout=0.2, noise=0.4),
    }
    config.views.labeled = view(
        hflip=0.3, vflip=0.3, brightness_contrast=0.3, grid_distortion=0.2, blur=0.3, noise=0.4
    )
    config.views.unlabeled = view(brightness_contrast=0.3, blur=0.3, noise=0.4)
    config.network.auxiliary = 1
    return _with_method(config, UccConfig, released, settings)


def cpcl(config: c.Config, **settings: Any) -> c.Config:
    """CPCL with VOC's weight, ramped over a quarter of the steps; see `_two_networks`."""
    _two_networks(config)
    ours = {"weight": 1.0, "ramp": True, "teacher_mode": "train"}
    return _with_method(config, CpclConfig, ours, settings)


def dueb(config: c.Config, **settings: Any) -> c.Config:
    """DUEB with VOC's weights and the released terms; see `_two_networks`."""
    _two_networks(config)
    ours = {
        "form": "released",
        "weight": 1.0,
        "weight_aleatoric": (0.5, 1.0),
        "weight_energy": (0.5, 1.0),
        "samples": 10,
        "energy_margins": (-6.0, -3.0),
        "ramp": True,
        "teacher_mode": "train",
    }
    return _with_method(config, DuebConfig, ours, settings)


STRONG_VIEWS: dict[str, Any] = {"cutmix": 0.5, "cutmix_area": (0.02, 0.4)}
"""UniMatch's boxes."""

WEAK_TO_STRONG: dict[str, Any] = {
    "weight": 1.0,
    "ema_decay": 0.99,
    "threshold": 0.95,
    "threshold_rule": "fixed",
    "threshold_momentum": 0.99,
    "unlabeled_loss": "cross_entropy_and_dice",
    "labeled_paste": "none",
}
"""The settings of UniMatch's family: tau and CutMix as published, for a U-Net from scratch.

CorrMatch's momentum of the threshold is 0.999, for longer runs.
"""


def _weak_and_strong(config: c.Config) -> dict[str, Any]:
    """The views of the family; the weak view has the geometry of the dataset's views alone."""
    unlabeled = config.views.unlabeled
    unlabeled.brightness_contrast = unlabeled.blur = unlabeled.jitter = 0.0
    unlabeled.pixel_dropout = unlabeled.noise = 0.0
    return STRONG_VIEWS | {"strong": weak_to_strong()}


def fixmatch(config: c.Config, **settings: Any) -> c.Config:
    """FixMatch with an EMA teacher, a strong view of UniMatch and CutMix."""
    config.network.auxiliary = 0
    usual = WEAK_TO_STRONG | _weak_and_strong(config)
    return _with_method(config, FixmatchConfig, usual, settings)


RECOMMENDED_RAMP = 0.4
"""Fraction of the steps in which the recommended method's unlabeled loss reaches its weight."""


def recommended(config: c.Config) -> c.Config:
    """The method for few labels: FixMatch with a threshold per class and boxes of labeled images.

    Its unlabeled loss has a ramp: as long as the teacher of a network without pretraining finds no
    defects, its pseudo-labels are background, and the student can unlearn a class for good.
    `configs/studies/thirty.py` and `decisions.py` compare it with the others.
    """
    fixmatch(config, threshold_rule="classwise", labeled_paste="always")
    config.method.scale_ramps(config.train.steps, RECOMMENDED_RAMP)
    return config


def augseg(config: c.Config, **settings: Any) -> c.Config:
    """FixMatch with boxes from labeled images where the teacher is unsure."""
    config.network.auxiliary = 0
    usual = WEAK_TO_STRONG | _weak_and_strong(config) | {"labeled_paste": "unsure"}
    return _with_method(config, AugsegConfig, usual, settings)


UNIMATCH_V1: dict[str, Any] = {
    "weight": 1.0,
    "threshold": 0.95,
    "unlabeled_loss": "dice",
    "feature_dropout": 0.5,
}
"""UniMatch's published settings for medical images."""


def unimatch_v1(config: c.Config, **settings: Any) -> c.Config:
    """UniMatch: two strong views and dropped features, the network its own teacher."""
    config.network.auxiliary = 0
    usual = UNIMATCH_V1 | _weak_and_strong(config)
    return _with_method(config, UnimatchV1Config, usual, settings)


def prevmatch(config: c.Config, **settings: Any) -> c.Config:
    """PrevMatch: UniMatch with pseudo-labels of earlier networks besides."""
    config.network.auxiliary = 0
    usual = UNIMATCH_V1 | _weak_and_strong(config)
    usual |= {
        "weight_previous": 1.0,
        "threshold_previous": 0.9,
        "snapshots": 8,
        "snapshot_interval": 1,
    }
    return _with_method(config, PrevmatchConfig, usual, settings)


def bcp(config: c.Config, **settings: Any) -> c.Config:
    """BCP's published weight and box; a quarter of the steps are pretraining."""
    config.network.auxiliary = 0
    usual = {"weight": 0.5, "ema_decay": 0.99, "box": 2 / 3, "pretrain": 0}
    return _scaled(config, BcpConfig, usual, settings)


def unimatch_v2(config: c.Config, **settings: Any) -> c.Config:
    """UniMatch V2: two strong views; half of the images lose complementary channels."""
    config.network.auxiliary = 0
    usual = WEAK_TO_STRONG | _weak_and_strong(config) | {"channel_dropout": 0.5}
    return _with_method(config, UnimatchV2Config, usual, settings)


def dirichlet_match(config: c.Config, **settings: Any) -> c.Config:
    """All parts: four decoders, two strong views with channel dropout, labeled boxes."""
    config.network.auxiliary = 3
    usual = WEAK_TO_STRONG | _weak_and_strong(config)
    usual |= {
        "channel_dropout": 0.5,
        "strong_views": 2,
        "mixing": "dirichlet",
        "discount": True,
        "threshold_rule": "classwise",
        "labeled_paste": "always",
    }
    return _with_method(config, DirichletMatchConfig, usual, settings)


U2PL: dict[str, Any] = {
    "warm_up": 0,
    "ema_decay": 0.99,
    "loss": "cross_entropy_and_dice",
    "weight": 1.0,
    "unreliable": 0.2,
    "mixing": "cutmix",
    "mixing_probability": 0.5,
    "weight_contrast": 0.1,
    "projection": 256,
    "temperature": 0.5,
    "anchor_threshold": 0.3,
    "anchors": 50,
    "negatives": 256,
    "low_rank": 0,
    "high_rank": 0,
    "bank_size": 4096,
    "bank_keys": 256,
    "ohem_threshold": 1.0,
    "ohem_kept": 0.0,
    "weight_fcn": 0.0,
}
"""U2PL's settings on VOC, with the crack project's CE + Dice. Published banks have 30,000 features
and take all features of a step; these take a part, and are renewed in 16 steps."""


def u2pl(config: c.Config, **settings: Any) -> c.Config:
    """U2PL's published weights and sets; a tenth of the steps are warm-up.

    The percentile is of all pixels, as published, for three classes and more. It is of each
    pseudo-label for two, where one of all pixels can leave out the whole defect, and where the
    number of classes is 0, that of a dataset which is not read yet.
    """
    config.network.auxiliary = 0
    usual = U2PL | {"percentile": "all" if config.data.classes > 2 else "class"}
    return _scaled(config, U2plConfig, usual, settings)


def ppl(config: c.Config, **settings: Any) -> c.Config:
    """PPL's student, repaired, with the loss of the other methods; `data.targets.folders` has the
    pseudo-labels it learns.
    """
    config.network.auxiliary = 0
    config.views.unlabeled = view(**geometry(config.views.unlabeled))
    usual: dict[str, Any] = {
        "loss": "cross_entropy_and_dice",
        "form": "repaired",
        "boxes": 3,
        "box_area": (0.25, 0.5),
        "strong": weak_to_strong(),
    }
    return _scaled(config, PplConfig, usual, settings)


URN: dict[str, Any] = {
    "form": "repaired",
    "loss": "cross_entropy_and_dice",
    "weighting": "none",
    "least": 0.05,
    "under_fitting_limit": 0.0,
    "under_fitting_start": 0.5,
    "weight_fcn": 0.0,
}
"""URN's, repaired, with UAPS's loss; the weights are those of `recipes/response_scaling.py`."""


def urn(config: c.Config, **settings: Any) -> c.Config:
    """URN's training on masks of labeled images, without weights of pixels."""
    config.network.auxiliary = 0
    config.method = UrnConfig(**(URN | settings))
    return config


SEAM: dict[str, Any] = {"equivariance": 1.0, "small": 0.5, "correlation": 64}
"""SEAM's, with a smaller view of half the size; published: 0.3 of 448 pixels."""


def seam(config: c.Config, **settings: Any) -> c.Config:
    """A classifier of image labels, SEAM's."""
    config.network.auxiliary = 0
    config.method = SeamConfig(**(SEAM | settings))
    return config


METHODS: dict[str, Callable[..., c.Config]] = {
    "supervised": supervised,
    "self_training": self_training,
    "mean_teacher": mean_teacher,
    "ua_mt": ua_mt,
    "cct": cct,
    "cps": cps,
    "dct": dct,
    "ucc": ucc,
    "uaps": uaps,
    "fixmatch": fixmatch,
    "augseg": augseg,
    "bcp": bcp,
    "unimatch_v1": unimatch_v1,
    "prevmatch": prevmatch,
    "unimatch_v2": unimatch_v2,
    "dirichlet_match": dirichlet_match,
    "u2pl": u2pl,
    "ppl": ppl,
    "urn": urn,
    "seam": seam,
    "cpcl": cpcl,
    "dueb": dueb,
}


def _with_method(
    config: c.Config,
    section: type[c.RampedConfig],
    usual: dict[str, Any],
    given: dict[str, Any],
) -> c.Config:
    """Sets a method with a ramp."""
    return _scaled(config, section, {"ramp_interval": 1, "ramp_length": 1} | usual, given)


def _scaled(
    config: c.Config, section: type[c.MethodConfig], usual: dict[str, Any], given: dict[str, Any]
) -> c.Config:
    """Sets the method: what counts steps in proportion to them, then what is given by name."""
    config.method = section(**(usual | given))
    config.method.scale_ramps(config.train.steps, section.ramp_share)
    for name, value in given.items():
        setattr(config.method, name, value)
    return config


def _two_networks(config: c.Config) -> None:
    """The setting of CPCL and DUEB here: their papers use no defect data, and other networks.

    20,000 steps of 8 + 8 + 8 images, poly; the unlabeled terms, not ramped there, are ramped,
    which few labels and networks that start from nothing need.
    """
    config.network.auxiliary = 0
    config.train.steps, config.train.eval_every = 20_000, 200
    config.train.batch_labeled = config.train.batch_unlabeled = 8
    config.optimizer.schedule = "poly"
