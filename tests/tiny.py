"""A run small enough for a test: two encoder levels, 16 px, random images that can be learnt."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from uaps_jax.config import Config
from uaps_jax.configs import train
from uaps_jax.configs.parts.views import view
from uaps_jax.data.source import Files, Images, Pool
from uaps_jax.evaluation import health
from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.training.pools import TrainingPools

CLASS_NAMES = ("background", "dark", "bright")
SCORE = ScoreRule(kind="top", top_pixels=5, pixel_threshold=0.5, minimum_area=0)
SIZE = 16


def config(method: str = "uaps", *, steps: int = 6) -> Config:
    """A configuration of seconds, with every random part of a real one."""
    settings = train.build(dataset="neu", method=method, variant="small")
    settings.data.height = settings.data.width = SIZE
    settings.data.classes = len(CLASS_NAMES)
    settings.network.widths, settings.network.dropout = (4, 6), (0.05, 0.5)
    for weak in (settings.views.labeled, settings.views.unlabeled):
        weak.blur = weak.noise = 0.3
    settings.train.steps = steps
    settings.train.eval_every, settings.checkpoint.every = 3, 2
    settings.train.log_every = 1
    settings.evaluation.batch_size = 4
    settings.method.scale_ramps(steps, 0.5)
    return settings


def plain(method: str = "uaps", *, steps: int = 6) -> Config:
    """The same without weak views, which are a third of a step's program."""
    settings = config(method, steps=steps)
    settings.views.labeled, settings.views.unlabeled = view(), view()
    return settings


def pool(count: int, seed: int = 0) -> Pool:
    """Noise with a dark and a bright square, which the mask marks."""
    random = np.random.default_rng(seed)
    images = random.integers(90, 160, (count, SIZE, SIZE, 3))
    masks = np.zeros((count, SIZE, SIZE), np.uint8)
    for image, mask in zip(images, masks, strict=True):
        for label, value in ((1, 20), (2, 230)):
            y, x = random.integers(0, SIZE - 6, 2)
            image[y : y + 6, x : x + 6] = value
            mask[y : y + 6, x : x + 6] = label
    names = tuple(f"train/{seed}-{i:03d}" for i in range(count))
    return Pool(names=names, images=images.astype(np.uint8), masks=masks)


def pools() -> TrainingPools:
    """Fewer labeled images than two batches, so that epochs end inside the run."""
    labeled = pool(5, 1)
    return TrainingPools(
        train={"labeled": labeled, "unlabeled": pool(11, 2)},
        val=pool(6, 3),
        probe=pool(3, 4),
        labeled_shares=health.class_shares([labeled.masks], CLASS_NAMES),
    )


def record() -> dict[str, Any]:
    """The description of these data in checkpoints."""
    names = {name: sorted(pool.names) for name, pool in pools().train.items()}
    val = sorted(pools().val.names)
    return {"build": "tiny", "classes": list(CLASS_NAMES), "protocol": "native", "version": 1} | {
        **names,
        "val": val,
        "test": val,
    }


def in_files(pools: TrainingPools) -> TrainingPools:
    """The same images, to be streamed."""
    files = {name: _files(pool) for name, pool in pools.train.items()}
    return dataclasses.replace(pools, train=files)


def _files(pool: Images) -> Files:
    assert isinstance(pool, Pool)
    row = {name: index for index, name in enumerate(pool.names)}
    return Files(
        names=pool.names,
        load=lambda name: {field: array[row[name]] for field, array in pool.fields.items()},
    )
