"""Predictions of whole images, and small pictures of them for a contact sheet."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from uaps_jax import palette
from uaps_jax.data import tiling
from uaps_jax.data.source import Pool
from uaps_jax.data.tiling import Tiled
from uaps_jax.data.whole_images import WholeImages
from uaps_jax.inference import TrainedModel
from uaps_jax.inference.pools import Predictions
from uaps_jax.inference.tiles import Output
from uaps_jax.labels import IGNORE

SIDE = 256
"""Pixels of the longer side of a small picture."""


class Thumbnail(NamedTuple):
    """An image made small, in the upper left of a square of `SIDE` pixels.

    Attributes:
      name: of the image.
      image: uint8 `[S, S, 3]`.
      truth: class ids, uint8 `[S, S]`; a pixel shows any defect that it covers.
      mask: likewise, of the prediction.
      uncertainty: float32 `[S, S]`, in nats.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    mask: np.ndarray
    uncertainty: np.ndarray


def outputs(model: TrainedModel, images: WholeImages, names: Sequence[str]) -> Iterator[Output]:
    """Probabilities and uncertainty of some of the images, at their own size."""
    size = model.config.evaluation.batch_size
    tiled = (
        tiling.tiled(name, functools.partial(_pixels, images, name), images.data, size)
        for name in names
    )
    yield from model.outputs(tiled, soft=True, batch_size=size)


def thumbnail(
    images: WholeImages, image: Tiled, mask: np.ndarray, uncertainty: np.ndarray
) -> Thumbnail:
    """An image and its prediction, made small."""
    picture = Image.fromarray(image.pixels())
    picture.thumbnail((SIDE, SIDE))
    size = picture.height, picture.width
    rows, columns = (np.arange(n) * m // n for n, m in zip(size, mask.shape, strict=True))
    highest = np.maximum.reduceat(np.maximum.reduceat(uncertainty, rows, 0), columns, 1)
    return Thumbnail(
        image.name,
        _squared(np.asarray(picture), 255),
        _squared(palette.shrunk(images.load(image.name)[1], size), IGNORE),
        _squared(palette.shrunk(mask, size), 0),
        _squared(highest, 0),
    )


def sheet(model: TrainedModel, small: Sequence[Thumbnail]) -> tuple[Pool, Predictions]:
    """Small pictures as `figures.contact_sheet` takes them."""
    names, images, truths, masks, uncertainties = zip(*small, strict=True)
    return (
        Pool(names=names, images=np.stack(images), masks=np.stack(truths)),
        Predictions(
            values=np.stack(masks),
            uncertainty=np.stack(uncertainties),
            uncertainty_name=model.uncertainty_name,
        ),
    )


def _pixels(images: WholeImages, name: str) -> np.ndarray:
    return images.load(name)[0]


def _squared(array: np.ndarray, filling: int) -> np.ndarray:
    side = np.full((SIDE, SIDE, *array.shape[2:]), filling, array.dtype)
    side[: array.shape[0], : array.shape[1]] = array
    return side
