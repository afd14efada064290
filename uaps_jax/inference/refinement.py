"""Predictions refined along the edges of their images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import numpy as np

from uaps_jax import compiler
from uaps_jax.config import CRFConfig
from uaps_jax.crf.refine import refine
from uaps_jax.data import tiling
from uaps_jax.data.source import Pool
from uaps_jax.inference import tiles
from uaps_jax.inference.pools import Predictions

Refine = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Image, uint8 `[H, W, 1]` or `[H, W, 3]`, and probabilities `[H, W, C]` to marginals, likewise."""


def build(settings: CRFConfig) -> Refine | None:
    """The CRF of the settings, compiled once for each size of images; None for no iterations."""
    if not settings.iterations:
        return None

    @compiler.jit_optimized
    def run(image: jax.Array, probabilities: jax.Array) -> jax.Array:
        return refine(image, probabilities, settings)

    return lambda image, probabilities: np.asarray(run(image, probabilities))


def refined_pool(
    pool: Pool, predict: Callable[[Pool, int], Predictions], refine: Refine, batch_size: int
) -> Predictions:
    """Predictions at the network's size: class ids of refined probabilities, the rest as it is.

    Args:
      pool: the images.
      predict: the predictions, with probabilities, of a batch, given with its number.
      refine: the CRF.
      batch_size: images at once.
    """
    results: list[Predictions] = []
    for number, start in enumerate(range(0, len(pool.names), batch_size)):
        part = slice(start, start + batch_size)
        images = pool.images[part]
        batch = Pool(names=pool.names[part], images=images, masks=pool.masks[part])
        found = predict(batch, number)
        pairs = zip(images, found.values, strict=True)
        masks = np.stack([tiling.likeliest(refine(*pair)) for pair in pairs])
        results.append(dataclasses.replace(found, values=masks))
    return dataclasses.replace(
        results[0],
        values=np.concatenate([found.values for found in results]),
        uncertainty=np.concatenate([found.uncertainty for found in results]),
        scores=np.concatenate([found.scores for found in results]),
    )


def refined(output: tiles.Output, refine: Refine) -> tiles.Output:
    """An output with marginals in place of probabilities.

    Raises:
      ImageError: the image is read again, and cannot be.
    """
    return output._replace(values=refine(output.image.pixels(), output.values))
