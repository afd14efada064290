"""The CRF against pydensecrf on real images, its forms against each other, and its time.

    python -m benchmarks.crf --peer=PYTHON --dataset=neu --manual_dir=FOLDER

PYTHON is one with pydensecrf (`benchmarks/pydensecrf_side.py`). The probabilities are made from the
masks: blurred, and with smooth noise that changes about 4 % of the labels. The results go to
`benchmarks/results/crf.jsonl`.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from scipy import ndimage

from benchmarks.measuring import record, seconds
from uaps_jax import compiler
from uaps_jax.config import CRFConfig, DataConfig
from uaps_jax.configs import train
from uaps_jax.configs.parts import refinement
from uaps_jax.crf.mean_field import Pairwise, mean_field, unary_energy
from uaps_jax.crf.refine import pairwise_terms
from uaps_jax.crf.refine import refine as refine_image
from uaps_jax.data import order, source
from uaps_jax.data.source import Pool
from uaps_jax.weak_supervision.response_scaling import (
    VOC_SCALES,
    ScaledResponses,
    scaled_responses,
)

SIDE = Path(__file__).parent / "pydensecrf_side.py"
WINDOWS = (11, 15, 21)
NATIVE = {"neu": (200, 200), "crackforest": (320, 480)}
"""Height and width of the images of a dataset."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--peer", help="a Python with pydensecrf; left out, only times are taken")
    parser.add_argument("--dataset", choices=tuple(NATIVE), default="neu")
    parser.add_argument("--manual_dir", help="folder of its raw data")
    parser.add_argument("--data_dir", default="data", help="folder of the built dataset")
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--level_sigma", type=float, default=10.0)
    parser.add_argument("--size", type=int, default=256, help="side of the image that is timed")
    given = parser.parse_args()
    colours = given.dataset == "crackforest"
    settings = dataclasses.replace(
        refinement.no_crf(),
        iterations=10,
        level_sigma=given.level_sigma,
        guide="colour" if colours else "grey",
    )
    figures: dict[str, Any] = {"cores": os.cpu_count(), "device": jax.devices()[0].device_kind}
    if given.peer:
        figures |= compared(given, settings)
    figures |= timed(given.size, settings)
    record("crf", {"dataset": given.dataset, "level_sigma": given.level_sigma} | figures)


def compared(given: argparse.Namespace, settings: CRFConfig) -> dict[str, Any]:
    """Shares of equal labels and mean differences of the marginals, printed and returned."""
    pool = real_images(given)
    random = np.random.default_rng(0)
    classes = int(pool.masks[pool.masks < 255].max()) + 1
    p = np.stack([noisy(mask, classes, random) for mask in pool.masks])
    channels = (3,) if settings.guide == "colour" else (1, 3)
    peers = {f"pydensecrf, {c} channels": peer(given.peer, pool, p, settings, c) for c in channels}
    ours = {f"window {w}": dataclasses.replace(settings, form="window", window=w) for w in WINDOWS}
    if settings.guide == "grey":  # with colours it takes minutes for every image
        ours = {"full": settings} | ours
    found = {name: refined(pool, p, chosen) for name, chosen in ours.items()}
    known = pool.masks < 255
    rows: dict[str, Any] = {}
    for name, q in ({"unrefined": p} | found | peers).items():
        rows[f"accuracy {name}"] = float((q.argmax(-1) == pool.masks)[known].mean())
    others = peers | ({"full": found["full"]} if "full" in found else {})
    for name, q in found.items():
        for other, r in others.items():
            if name != other:
                rows[f"{name} | {other}"] = difference(q, r)
    if len(peers) == 2:
        rows["pydensecrf | with 3 channels"] = difference(*peers.values())
    for name, row in rows.items():
        print(f"{name}: {row}", flush=True)
    return {"images": len(pool.names), "compared": rows}


def difference(q: np.ndarray, r: np.ndarray) -> dict[str, float]:
    """Of marginals `[N, H, W, C]`: share of equal labels, the lowest of an image, mean |q - r|."""
    same = (q.argmax(-1) == r.argmax(-1)).mean((1, 2))
    return {
        "same": round(float(same.mean()), 5),
        "same_lowest": round(float(same.min()), 5),
        "mean_difference": round(float(np.abs(q - r).mean()), 6),
    }


def real_images(given: argparse.Namespace) -> Pool:
    """Images with a mask, evenly spaced over a dataset, as RGB at their own size."""
    config = train.build(dataset=given.dataset, method="supervised")
    height, width = NATIVE[given.dataset]
    data: DataConfig = dataclasses.replace(
        config.data,
        manual_dir=given.manual_dir or "",
        data_dir=given.data_dir,
        height=height,
        width=width,
    )
    dataset = source.open_dataset(data)
    names = sorted(dataset.masked)
    rows = order.evenly_spaced(len(names), given.images)
    return source.read(dataset, [names[row] for row in rows], data)


def noisy(mask: np.ndarray, classes: int, random: np.random.Generator) -> np.ndarray:
    """Probabilities `[H, W, C]` of an imagined network: the mask, blurred, with smooth noise."""
    logits = np.empty((*mask.shape, classes))
    for label in range(classes):
        share = ndimage.gaussian_filter((mask == label).astype(float), 4)
        noise = ndimage.gaussian_filter(random.normal(size=mask.shape), 5)
        logits[..., label] = np.log(share + 0.02) + noise / noise.std()
    p = np.exp(logits)
    return (p / p.sum(-1, keepdims=True)).astype(np.float32)


def peer(python: str, pool: Pool, p: np.ndarray, settings: CRFConfig, channels: int) -> np.ndarray:
    """The marginals of pydensecrf.

    A grey value in three equal channels counts three times in a squared distance.
    """
    is_repeated = settings.guide == "grey" and channels == 3
    values = {
        name: getattr(settings, name)
        for name in ("iterations", "position_sigma", "position_weight", "bilateral_weight")
    }
    with tempfile.TemporaryDirectory() as folder:
        there, back = Path(folder, "there.npz"), Path(folder, "back.npz")
        np.savez(
            there,
            images=pool.images,
            probabilities=p,
            channels=channels,
            sigma=settings.bilateral_sigma * max(pool.images.shape[1:3]),
            level_sigma=settings.level_sigma * (3**0.5 if is_repeated else 1),
            **values,
        )
        subprocess.run([python, str(SIDE), str(there), str(back)], check=True)
        with np.load(back) as file:
            print(f"pydensecrf: {file['seconds'].mean():.3f} s an image", flush=True)
            return file["marginals"]


def refined(pool: Pool, p: np.ndarray, settings: CRFConfig) -> np.ndarray:
    """Our marginals, `[N, H, W, C]`."""
    run = compiler.jit_optimized(lambda image, q: refine_image(image, q, settings))
    guides = pool.images if settings.guide == "colour" else pool.images[..., :1]
    return np.stack([np.asarray(run(*pair)) for pair in zip(guides, p, strict=True)])


def timed(size: int, settings: CRFConfig) -> dict[str, Any]:
    """Median seconds for an image of `size` x `size` pixels and 4 classes, printed and returned."""
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (size, size, 1), np.uint8)
    image = ndimage.gaussian_filter(image, (2, 2, 0))
    p = random.dirichlet(np.ones(4), (size, size)).astype(np.float32)
    tags = np.ones(4, bool)
    grey = dataclasses.replace(settings, guide="grey")
    forms = {"full": grey} | {
        f"window {w}": dataclasses.replace(grey, form="window", window=w) for w in WINDOWS
    }
    rows: dict[str, float] = {}
    for name, chosen in forms.items():
        for part, value in times_of(chosen, image, p, tags).items():
            rows[f"{part}, {name}"] = value
            print(f"{part}, {name}: {value:.3f} s", flush=True)
    return {"size": size, "seconds": rows}


def times_of(
    settings: CRFConfig, image: np.ndarray, p: np.ndarray, tags: np.ndarray
) -> dict[str, float]:
    """Seconds for the kernels of an image, its marginals, and one variant of response scaling."""

    @compiler.jit_optimized
    def build(image: jax.Array) -> tuple[Pairwise, ...]:
        return pairwise_terms(image, settings)

    @compiler.jit_optimized
    def infer(terms: tuple[Pairwise, ...], p: jax.Array) -> jax.Array:
        return mean_field(unary_energy(p), terms, settings.iterations)

    @compiler.jit_optimized
    def scale(terms: tuple[Pairwise, ...], p: jax.Array, tags: jax.Array) -> ScaledResponses:
        return scaled_responses(
            p, tags, terms, iterations=settings.iterations, scales=VOC_SCALES, form="repaired"
        )

    terms = build(image)
    variants = tags.size * len(VOC_SCALES) + 1  # and the pseudo-mask
    return {
        "kernels": median(lambda: build(image)),
        "marginals": median(lambda: infer(terms, p)),
        "a variant": median(lambda: scale(terms, p, tags), 3) / variants,
    }


def median(call: Callable[[], Any], count: int = 5) -> float:
    """Seconds of a call after the first, which compiles."""
    wait: Callable[[], Any] = lambda: jax.block_until_ready(call())  # noqa: E731
    times: Sequence[float] = seconds(wait, count + 1)
    return round(statistics.median(times[1:]), 4)


if __name__ == "__main__":
    main()
