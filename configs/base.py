"""What the configurations share: datasets, methods, and the shortened variants.

Published settings: UAPS, released code, one script a dataset. Steps there are
(epochs - 1) * (iterations per epoch - 1), because both of its loops start at 1.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from uaps_jax import config as c
from uaps_jax.methods.cct import CctConfig
from uaps_jax.methods.cpcl import CpclConfig
from uaps_jax.methods.cps import CpsConfig
from uaps_jax.methods.dct import DctConfig
from uaps_jax.methods.dueb import DuebConfig
from uaps_jax.methods.mean_teacher import MeanTeacherConfig
from uaps_jax.methods.supervised import SupervisedConfig
from uaps_jax.methods.ua_mt import UaMtConfig
from uaps_jax.methods.uaps import UapsConfig
from uaps_jax.methods.ucc import UccConfig
from uaps_jax.models.unet import UNetConfig

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def view(**probabilities: float) -> c.ViewConfig:
    """A view with the released limits; what is not named has probability 0."""
    names = ("hflip", "vflip", "rot90", "grid_distortion", "scale")
    geometry: dict[str, Any] = dict.fromkeys(names, 0.0)
    given = {name: probabilities.pop(name) for name in geometry if name in probabilities}
    geometry |= {"scale_range": (0.5, 2.0), "crop_height": 0, "crop_width": 0}
    looks = photometric(**probabilities)
    values: dict[str, Any] = {f.name: getattr(looks, f.name) for f in dataclasses.fields(looks)}
    return c.ViewConfig(**values, **(geometry | given))


def photometric(**probabilities: float) -> c.PhotometricConfig:
    """Changes of brightness and colour alone, likewise."""
    names = (
        *("brightness_contrast", "blur", "jitter", "grayscale", "gaussian_blur"),
        *("pixel_dropout", "noise", "cutout"),
    )
    settings: dict[str, float] = dict.fromkeys(names, 0.0)
    return c.PhotometricConfig(
        **(settings | probabilities),
        contrast_limit=(0.0, 0.5),
        brightness_limit=(0.0, 0.5),
        jitter_limits=(0.2, 0.2, 0.2, 0.2),
        jitter_random_order=False,
        gaussian_sigma=(0.1, 2.0),
        pixel_dropout_rate=0.01,
        noise_variance=(10.0, 50.0),
        noise_first=False,
        cutout_area=(0.02, 0.4),
        cutout_aspect=(0.3, 1 / 0.3),
        cutout_noise=True,
    )


def weak_to_strong() -> c.PhotometricConfig:
    """The strong view of UniMatch and PPL; ST++ adds `cutout=0.5`."""
    strong = photometric(jitter=0.8, grayscale=0.2, gaussian_blur=0.5)
    strong.jitter_limits, strong.jitter_random_order = (0.5, 0.5, 0.5, 0.25), True
    return strong


def neu_seg() -> c.Config:
    """NEU-Seg: 800 epochs of 60 iterations, an evaluation an epoch."""
    config = _config(
        dataset="neu_seg",
        classes=4,
        view=view(hflip=0.4, vflip=0.4, rot90=0.3, brightness_contrast=0.5, blur=0.3, noise=0.3),
        ratio=0.1,
        steps=799 * 59,
        per_epoch=59,
        plateau_min_lr=1e-8,
    )
    config.data.shares = (3085 / 4470, 545 / 4470, 840 / 4470)  # the published sizes
    return config


def dagm() -> c.Config:
    """DAGM 2007, six classes, grey: 800 epochs of 30 iterations."""
    config = _config(
        dataset="dagm",
        classes=7,
        view=view(hflip=0.3, vflip=0.3, brightness_contrast=0.5, blur=0.2, noise=0.3),
        ratio=0.1,
        steps=799 * 29,
        per_epoch=29,
        plateau_min_lr=1e-6,
    )
    config.data.channels = 1
    config.data.mean, config.data.std = (0.5314,), (0.1357,)
    config.views.unlabeled.hflip, config.views.unlabeled.blur = 0.4, 0.3
    config.views.labeled.noise_first = config.views.unlabeled.noise_first = True
    return config


def mtiles() -> c.Config:
    """Magnetic tiles, defective images: 800 epochs of 20 iterations."""
    config = _config(
        dataset="mtiles",
        classes=6,
        view=view(hflip=0.5, vflip=0.5, brightness_contrast=0.5, blur=0.3, noise=0.4),
        ratio=0.4,
        steps=799 * 19,
        per_epoch=19,
        plateau_min_lr=1e-8,
    )
    config.optimizer.learning_rate = 2e-3
    config.data.protocol = "reconstructed"
    return config


def ksdd2() -> c.Config:
    """KolektorSDD2, defective images, trained lying (256 x 512) after a resize to 512 x 256."""
    config = _config(
        dataset="ksdd2",
        classes=2,
        view=view(hflip=0.3, vflip=0.3, brightness_contrast=0.5, blur=0.3, noise=0.3),
        ratio=0.4,
        steps=799 * 19,
        per_epoch=19,
        plateau_min_lr=1e-6,
    )
    config.data.height, config.data.width, config.data.transpose = 512, 256, True
    config.train.batch_labeled = config.train.batch_unlabeled = 12
    config.optimizer.learning_rate = 2e-3
    config.data.protocol = "reconstructed"
    return config


def crackforest() -> c.Config:
    """CrackForest, cracks on roads, 37 of 155 images without a mask; no published division."""
    config = _config(
        dataset="crackforest/crack",
        classes=2,
        view=view(hflip=0.5, vflip=0.5, brightness_contrast=0.5, blur=0.3, noise=0.3),
        ratio=0.2,
        steps=20_000,
        per_epoch=200,
        plateau_min_lr=1e-8,
    )
    config.data.height, config.data.width = 320, 480
    config.data.protocol = "grouped"
    config.optimizer.schedule = "cosine"
    return config


def synthetic() -> c.Config:
    """The embedded dataset: 64 px, 16 of 512 training images labeled, a few minutes."""
    config = _config(
        dataset="synthetic/64px",
        classes=5,
        view=view(hflip=0.5, vflip=0.5, rot90=0.5, brightness_contrast=0.3),
        ratio=16 / 512,
        steps=600,
        per_epoch=60,
        plateau_min_lr=1e-8,
    )
    config.data.protocol = "native"
    _shorten(config, size=64, batch=4, steps=600)
    return config


def folder(
    manual_dir: str = "",
    *,
    classes: tuple[str, ...] = (),
    height: int = 256,
    width: int = 256,
    labeled_ratio: float = 1.0,
) -> c.Config:
    """A user's own images: all masks of the training part are used, split by leakage group.

    Further images of a labeled group, as photographs of one part, are unlabeled ones.

    Args:
      manual_dir: the folder that holds `images` and `masks`.
      classes: `name=value` entries, background first; () leaves it to `classes.yaml` in the folder.
      height: of the network's input, in pixels.
      width: likewise.
      labeled_ratio: below 1, the ratio of the training groups with a mask of which one image is
        labeled.
    """
    config = _config(
        dataset="folder",
        classes=0,
        view=view(hflip=0.5, vflip=0.5, brightness_contrast=0.3),
        ratio=labeled_ratio,
        steps=20_000,
        per_epoch=200,
        plateau_min_lr=1e-8,
    )
    config.data.manual_dir, config.data.folder.classes = manual_dir, classes
    config.data.height, config.data.width = height, width
    config.data.protocol, config.data.labeled_group_copies = "grouped", "unlabeled"
    config.optimizer.schedule = "cosine"
    return config


def supervised(config: c.Config, variant: str) -> c.Config:
    """One decoder on clean features, labeled images only."""
    config.method = SupervisedConfig()
    config.network.auxiliary = 0
    return _with_variant(config, variant)


def uaps(
    config: c.Config,
    variant: str,
    *,
    interval: int | None = None,
    length: int | None = None,
    weight_uncertainty: float = 0.1,
    ramp_uncertainty: bool = True,
) -> c.Config:
    """UAPS as released.

    The ramp saturates after `interval * length` steps; without them, after 34 % of the steps.
    """
    config.method = UapsConfig(
        mixing="dirichlet",
        rectify="scalar",
        detach_mean=False,
        detach_weight=False,
        weight_pseudo=0.1,
        weight_uncertainty=weight_uncertainty,
        ramp_uncertainty=ramp_uncertainty,
        ramp_interval=1,
        ramp_length=1,
        weight_energy=0.0,
        energy="released",
        energy_margins=(-6.0, -3.0),
        perturb_at_eval=True,
    )
    return _with_variant(config, variant, interval, length)


TEACHER: dict[str, Any] = {
    "weight": 0.1,
    "ema_decay": 0.99,
    "noise_scale": 0.1,
    "noise_clip": 0.2,
    "teacher_mode": "train",
    "average_statistics": False,
    "ramp_interval": 1,
    "ramp_length": 1,
}
"""The released settings of a teacher and its student."""


def mean_teacher(
    config: c.Config, variant: str, *, interval: int | None = None, length: int | None = None
) -> c.Config:
    """Mean Teacher as released; the consistency starts after 3 % of the steps."""
    config.method = MeanTeacherConfig(
        delay=0,
        **TEACHER,
    )
    config.network.auxiliary = 0
    return _with_variant(config, variant, interval, length)


def ua_mt(
    config: c.Config, variant: str, *, interval: int | None = None, length: int | None = None
) -> c.Config:
    """UA-MT as released: eight looks of the teacher."""
    config.method = UaMtConfig(
        samples=8,
        threshold="released",
        normalizer="released",
        **TEACHER,
    )
    config.network.auxiliary = 0
    return _with_variant(config, variant, interval, length)


def cct(
    config: c.Config, variant: str, *, interval: int | None = None, length: int | None = None
) -> c.Config:
    """CCT as released: UAPS's network, its dropout at 0.3."""
    config.method = CctConfig(weight=0.1, ramp_interval=1, ramp_length=1)
    config.network.perturb_dropout = 0.3
    config.optimizer.learning_rate = 2e-3
    return _with_variant(config, variant, interval, length)


def cps(
    config: c.Config, variant: str, *, interval: int | None = None, length: int | None = None
) -> c.Config:
    """CPS as released: two networks."""
    config.method = CpsConfig(weight=0.1, ramp_interval=1, ramp_length=1)
    config.network.auxiliary = 0
    return _with_variant(config, variant, interval, length)


def dct(
    config: c.Config, variant: str, *, interval: int | None = None, length: int | None = None
) -> c.Config:
    """DCT as released: quarter turns."""
    config.method = DctConfig(weight=0.1, detach=False, ramp_interval=1, ramp_length=1)
    config.network.auxiliary = 0
    return _with_variant(config, variant, interval, length)


def ucc(
    config: c.Config, variant: str, *, interval: int | None = None, length: int | None = None
) -> c.Config:
    """UCC as released, with its own views: unlabeled images are neither turned nor mirrored."""
    config.method = UccConfig(
        weight=0.1,
        rectify="scalar",
        cutmix=0.2,
        paste=0.3,
        strong=photometric(blur=0.3, jitter=0.3, pixel_dropout=0.2, noise=0.4),
        ramp_interval=1,
        ramp_length=1,
    )
    config.views.labeled = view(
        hflip=0.3, vflip=0.3, brightness_contrast=0.3, grid_distortion=0.2, blur=0.3, noise=0.4
    )
    config.views.unlabeled = view(brightness_contrast=0.3, blur=0.3, noise=0.4)
    config.network.auxiliary = 1
    return _with_variant(config, variant, interval, length)


def cpcl(config: c.Config, variant: str) -> c.Config:
    """CPCL with VOC's weight, ramped over a quarter of the steps; see `_two_networks`."""
    _two_networks(config)
    config.method = CpclConfig(
        weight=1.0, ramp=True, teacher_mode="train", ramp_interval=1, ramp_length=1
    )
    return _with_variant(config, variant)


def dueb(
    config: c.Config, variant: str, *, aleatoric: bool = True, energy: bool = True
) -> c.Config:
    """DUEB with VOC's weights and the released terms, or with one of the two alone."""
    _two_networks(config)
    config.method = DuebConfig(
        form="released",
        weight=1.0,
        weight_aleatoric=(0.5, 1.0) if aleatoric else (0.0, 0.0),
        weight_energy=(0.5, 1.0) if energy else (0.0, 0.0),
        samples=10,
        energy_margins=(-6.0, -3.0),
        ramp=True,
        teacher_mode="train",
        ramp_interval=1,
        ramp_length=1,
    )
    return _with_variant(config, variant)


def _two_networks(config: c.Config) -> None:
    """The setting of CPCL and DUEB here: their papers have no defects, and other networks.

    20,000 steps of 8 + 8 + 8 images, poly; the unlabeled terms, not ramped there, are ramped,
    which few labels and networks that start from nothing need.
    """
    config.network.auxiliary = 0
    config.train.steps, config.train.eval_every = 20_000, 200
    config.train.batch_labeled = config.train.batch_unlabeled = 8
    config.optimizer.schedule = "poly"


def _config(
    *,
    dataset: str,
    classes: int,
    view: c.ViewConfig,
    ratio: float,
    steps: int,
    per_epoch: int,
    plateau_min_lr: float,
) -> c.Config:
    """The settings that the four released scripts share."""
    return c.Config(
        data=c.DataConfig(
            name=dataset,
            data_dir="data",
            manual_dir="",
            folder=c.FolderConfig(
                images="", masks="", table="", classes=(), group="", white=2**16 - 1
            ),
            height=256,
            width=256,
            fit="resize",
            transpose=False,
            channels=3,
            classes=classes,
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            resident_mib=4096,
            stream_threads=0,
            protocol="published",
            shares=(0.7, 0.1, 0.2),
            split_file="",
            labeled_ratio=ratio,
            labeled_count=0,
            labeled_list="",
            labeled_group_copies="exclude",
            split_seed=45,
        ),
        views=c.ViewsConfig(labeled=dataclasses.replace(view), unlabeled=dataclasses.replace(view)),
        network=UNetConfig(
            auxiliary=3,
            widths=(16, 32, 64, 128, 256),
            dropout=(0.05, 0.1, 0.2, 0.3, 0.5),
            noise_limit=0.3,
            perturb_dropout=0.5,
            feature_dropout=(0.7, 0.9),
            dtype="float32",
        ),
        method=SupervisedConfig(),
        optimizer=c.OptimizerConfig(
            learning_rate=1e-3,
            schedule="plateau",
            plateau_factor=0.1,
            plateau_patience=50,
            plateau_threshold=1e-4,
            plateau_min_lr=plateau_min_lr,
            poly_power=0.9,
            beta1=0.9,
            beta2=0.999,
            epsilon=1e-8,
            weight_decay=0.0,
        ),
        train=c.TrainConfig(
            seed=0,
            steps=steps,
            batch_labeled=16,
            batch_unlabeled=16,
            deterministic=False,
            accumulate=1,
            log_every=20,
            eval_every=per_epoch,
        ),
        checkpoint=c.CheckpointConfig(every=1000, keep_every=0, keep_at=()),
        evaluation=c.EvaluationConfig(batch_size=32, predictor="", probe_images=64),
    )


def _with_variant(
    config: c.Config, variant: str, interval: int | None = None, length: int | None = None
) -> c.Config:
    """Sets the ramp, then what stands behind the colon of `--config=file.py:small`, or `:medium`.

    The ramp takes `interval * length` steps, or the method's usual share of the run.
    """
    config.method.scale_ramps(config.train.steps, type(config.method).ramp_share)
    if isinstance(config.method, c.RampedConfig) and interval and length:
        config.method.ramp_interval, config.method.ramp_length = interval, length
    if variant == "small":
        _shorten(config, size=64, batch=4, steps=800)
    elif variant == "medium":
        _shorten(config, size=64, batch=8, steps=2500)
    elif variant:
        raise c.ConfigError(f"variant {variant!r} does not exist; there are 'small' and 'medium'")
    return config


def _shorten(config: c.Config, *, size: int, batch: int, steps: int) -> None:
    """A run of minutes: small images, Adam at 1e-3 with a cosine to 0, ramps in proportion.

    Blur and noise are off, in strong views too: their strengths are meant for 256 px, and a 7-pixel
    box erases most defects at 64 px.
    """
    shorter = min(config.data.height, config.data.width)
    stride = config.network.stride
    config.data.height = round(size * config.data.height / shorter / stride) * stride
    config.data.width = round(size * config.data.width / shorter / stride) * stride
    config.train.steps = steps
    config.train.batch_labeled = config.train.batch_unlabeled = batch
    config.train.eval_every = steps // 10
    config.checkpoint.every = steps // 10
    config.optimizer.learning_rate = 1e-3
    config.optimizer.schedule = "cosine"
    strong = [config.method.strong] if isinstance(config.method, UccConfig) else []
    for policy in (config.views.labeled, config.views.unlabeled, *strong):
        policy.blur = policy.gaussian_blur = policy.noise = 0.0
    config.method.scale_ramps(steps, type(config.method).ramp_share)
