"""Images of any size and their predictions, made small for a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from uaps_jax import palette
from uaps_jax.data.source import Pool
from uaps_jax.inference.pools import Predictions
from uaps_jax.labels import IGNORE
from uaps_jax.methods.base import UncertaintyKind

SIDE = 256
"""Pixels of the longer side of a small picture."""


class Thumbnail(NamedTuple):
    """An image made small, in the upper left of a square of `SIDE` pixels.

    Attributes:
      name: of the image.
      image: uint8 `[S, S, 3]`.
      truth: class ids, uint8 `[S, S]`; a pixel shows any defect that it covers.
      mask: likewise, of the prediction.
      uncertainty: float32 `[S, S]`.
      score: of the image.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    mask: np.ndarray
    uncertainty: np.ndarray
    score: float


def thumbnail(
    name: str,
    pixels: np.ndarray,
    truth: np.ndarray,
    mask: np.ndarray,
    uncertainty: np.ndarray,
    score: float,
) -> Thumbnail:
    """An image, uint8 `[H, W, 3]`, its masks and its uncertainty `[H, W]`, made small."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((SIDE, SIDE))
    size = picture.height, picture.width
    rows, columns = (np.arange(n) * m // n for n, m in zip(size, mask.shape, strict=True))
    highest = np.maximum.reduceat(np.maximum.reduceat(uncertainty, rows, 0), columns, 1)
    return Thumbnail(
        name,
        _squared(np.asarray(picture), 255),
        _squared(palette.shrunk(truth, size), IGNORE),
        _squared(palette.shrunk(mask, size), 0),
        _squared(highest, 0),
        score,
    )


def sheet(small: Sequence[Thumbnail], kind: UncertaintyKind) -> tuple[Pool, Predictions]:
    """Small pictures as `figures.contact_sheet` takes them."""
    names, images, truths, masks, uncertainties, scores = zip(*small, strict=True)
    return (
        Pool(names=names, images=np.stack(images), masks=np.stack(truths)),
        Predictions(
            values=np.stack(masks),
            uncertainty=np.stack(uncertainties),
            scores=np.asarray(scores, np.float32),
            kind=kind,
        ),
    )


def _squared(array: np.ndarray, filling: int) -> np.ndarray:
    side = np.full((SIDE, SIDE, *array.shape[2:]), filling, array.dtype)
    side[: array.shape[0], : array.shape[1]] = array
    return side
