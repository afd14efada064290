"""The datasets, by the name that `configs/train.py` takes; each with the settings of its training.

Published settings: UAPS, released code, one script a dataset. Steps there are
(epochs - 1) * (iterations per epoch - 1), because both of its loops start at 1. Every function
returns a whole configuration, of the labeled images alone on UAPS's U-Net, and takes settings of
`DataConfig` that replace its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from uaps_jax import config as c
from uaps_jax.configs.parts import networks, refinement, variants
from uaps_jax.configs.parts.views import view
from uaps_jax.methods.supervised import SupervisedConfig


def neu_seg(**data: Any) -> c.Config:
    """NEU-Seg: 800 epochs of 60 iterations, an evaluation an epoch."""
    published = {
        "name": "neu_seg",
        "classes": 4,
        "labeled_ratio": 0.1,
        "shares": (3085 / 4470, 545 / 4470, 840 / 4470),  # the published sizes
    }
    return _config(
        published | data,
        view=view(hflip=0.4, vflip=0.4, rot90=0.3, brightness_contrast=0.5, blur=0.3, noise=0.3),
        steps=799 * 59,
        per_epoch=59,
        plateau_min_lr=1e-8,
    )


def dagm(**data: Any) -> c.Config:
    """DAGM 2007, six classes, grey: 800 epochs of 30 iterations."""
    published = {
        "name": "dagm",
        "classes": 7,
        "labeled_ratio": 0.1,
        "channels": 1,
        "mean": (0.5314,),
        "std": (0.1357,),
    }
    weak: dict[str, Any] = {
        "vflip": 0.3,
        "brightness_contrast": 0.5,
        "noise": 0.3,
        "noise_first": True,
    }
    config = _config(
        published | data,
        view=view(hflip=0.3, blur=0.2, **weak),
        steps=799 * 29,
        per_epoch=29,
        plateau_min_lr=1e-6,
    )
    config.views.unlabeled = view(hflip=0.4, blur=0.3, **weak)
    return config


def mtiles(**data: Any) -> c.Config:
    """Magnetic tiles, defective images: 800 epochs of 20 iterations."""
    published = {
        "name": "mtiles",
        "classes": 6,
        "labeled_ratio": 0.4,
        "protocol": "reconstructed",
    }
    config = _config(
        published | data,
        view=view(hflip=0.5, vflip=0.5, brightness_contrast=0.5, blur=0.3, noise=0.4),
        steps=799 * 19,
        per_epoch=19,
        plateau_min_lr=1e-8,
    )
    config.optimizer.learning_rate = 2e-3
    return config


def ksdd2(**data: Any) -> c.Config:
    """KolektorSDD2, defective images, resized to 512 x 256 and trained transposed (256 x 512)."""
    published = {
        "name": "ksdd2",
        "classes": 2,
        "labeled_ratio": 0.4,
        "protocol": "reconstructed",
        "height": 512,
        "width": 256,
        "transpose": True,
    }
    config = _config(
        published | data,
        view=view(hflip=0.3, vflip=0.3, brightness_contrast=0.5, blur=0.3, noise=0.3),
        steps=799 * 19,
        per_epoch=19,
        plateau_min_lr=1e-6,
    )
    config.train.batch_labeled = config.train.batch_unlabeled = 12
    config.optimizer.learning_rate = 2e-3
    return config


def crackforest(**data: Any) -> c.Config:
    """CrackForest, cracks on roads, 37 of 155 images without a mask; no published split.

    A fifth of the annotated training images is labeled.
    """
    ours = {
        "name": "crackforest/crack",
        "classes": 2,
        "labeled_ratio": 0.2,
        "protocol": "grouped",
        "height": 320,
        "width": 480,
    }
    config = _config(
        ours | data,
        view=view(hflip=0.5, vflip=0.5, brightness_contrast=0.5, blur=0.3, noise=0.3),
        steps=20_000,
        per_epoch=200,
        plateau_min_lr=1e-8,
    )
    config.optimizer.schedule = "cosine"
    return config


def synthetic(**data: Any) -> c.Config:
    """The embedded dataset: 64 px, 16 of 512 training images labeled, a few minutes."""
    ours = {
        "name": "synthetic/64px",
        "classes": 5,
        "labeled_ratio": 16 / 512,
        "protocol": "native",
        "height": 64,
        "width": 64,
    }
    config = _config(
        ours | data,
        view=view(hflip=0.5, vflip=0.5, rot90=0.5, brightness_contrast=0.3),
        steps=600,
        per_epoch=60,
        plateau_min_lr=1e-8,
    )
    variants.shorten(config, size=64, batch=4, steps=600)
    return config


def folder(**data: Any) -> c.Config:
    """A user's own images: all masks of the training part are used, split by leakage group.

    Further images of a labeled group, as photographs of one part, are unlabeled ones.
    `data.manual_dir` is the folder that holds `images`, `masks` and `classes.yaml`.
    """
    ours = {
        "name": "folder",
        "classes": 0,
        "labeled_ratio": 1.0,
        "protocol": "grouped",
        "labeled_group_copies": "unlabeled",
    }
    config = _config(
        ours | data,
        view=view(hflip=0.5, vflip=0.5, brightness_contrast=0.3),
        steps=20_000,
        per_epoch=200,
        plateau_min_lr=1e-8,
    )
    config.optimizer.schedule = "cosine"
    config.evaluation.selection = "dice_and_auroc"
    return config


DATASETS: dict[str, Callable[..., c.Config]] = {
    "neu": neu_seg,
    "dagm": dagm,
    "mtiles": mtiles,
    "ksdd2": ksdd2,
    "crackforest": crackforest,
    "synthetic": synthetic,
    "folder": folder,
}


def _config(
    data: dict[str, Any], *, view: c.ViewConfig, steps: int, per_epoch: int, plateau_min_lr: float
) -> c.Config:
    """The settings that the four released scripts share, with a dataset's own."""
    shared: dict[str, Any] = {
        "data_dir": "data",
        "manual_dir": "",
        "folder": c.FolderConfig(
            images="", masks="", mask_suffix="", table="", classes=(), group="", white=2**16 - 1
        ),
        "targets": c.TargetsConfig(
            part="unlabeled", folders=(), names="", weights=False, defect_share=0.0
        ),
        "height": 256,
        "width": 256,
        "fit": "resize",
        "scale": 1.0,
        "resampling": "nearest",
        "crop_scale_range": (1.0, 1.0),
        "defect_share": 0.0,
        "transpose": False,
        "channels": 3,
        "mean": (0.485, 0.456, 0.406),  # of ImageNet
        "std": (0.229, 0.224, 0.225),
        "resident_mib": 4096,
        "stream_threads": 0,
        "protocol": "published",
        "shares": (0.7, 0.1, 0.2),
        "split_file": "",
        "labeled_count": 0,
        "labeled_list": "",
        "labeled_group_copies": "exclude",
        "split_seed": 45,
        "rough": c.RoughConfig(kind="none", seed=0, scale=(1.2, 1.5), radius=3, drop=0.2),
    }
    return c.Config(
        data=c.DataConfig(**(shared | data)),
        views=c.ViewsConfig(labeled=view, unlabeled=dataclasses.replace(view)),
        network=networks.unet(),
        method=SupervisedConfig(loss="cross_entropy_and_dice", ema_decay=0.0),
        optimizer=c.OptimizerConfig(
            name="adam",
            learning_rate=1e-3,
            schedule="plateau",
            warmup_steps=0,
            plateau_factor=0.1,
            plateau_patience=50,
            plateau_threshold=1e-4,
            plateau_min_lr=plateau_min_lr,
            poly_power=0.9,
            beta1=0.9,
            beta2=0.999,
            epsilon=1e-8,
            momentum=0.9,
            nesterov=False,
            weight_decay=0.0,
            decay_biases_and_norms=True,
            decoder_multiple=1.0,
            clip_norm=0.0,
        ),
        train=c.TrainConfig(
            seed=0,
            steps=steps,
            minutes=0.0,
            batch_labeled=16,
            batch_unlabeled=16,
            deterministic=False,
            accumulate=1,
            log_every=20,
            eval_every=per_epoch,
        ),
        checkpoint=c.CheckpointConfig(every=1000, keep_every=0, keep_at=()),
        evaluation=c.EvaluationConfig(
            batch_size=32,
            predictor="",
            selection="image_dice",
            decision=c.DecisionConfig(
                score="top",
                top_pixels=20,
                pixel_threshold=0.5,
                minimum_area=0,
                aim="false_alarms",
                rate=0.05,
            ),
            probe_images=64,
            crf=refinement.no_crf(),
        ),
    )
