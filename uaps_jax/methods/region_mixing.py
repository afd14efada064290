"""Unlabeled images and their pseudo-labels, mixed by regions (U2PL).

cutmix    a box of half the image comes from the next image of the batch.
cutout    a box of half the image has the mean colour and no pseudo-label.
classmix  all but the pixels of a random half of the classes come from the next image.
"""

from __future__ import annotations

from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from uaps_jax.labels import IGNORE
from uaps_jax.transforms import mixing
from uaps_jax.transforms.keys import image_keys

Mixing = Literal["none", "cutmix", "cutout", "classmix"]


class Target(NamedTuple):
    """The pseudo-labels of some images.

    Attributes:
      labels: class ids `[B, H, W]`, 255 where there is none.
      probability: of the label, `[B, H, W]`.
    """

    labels: jax.Array
    probability: jax.Array


def regions(
    kind: Mixing, key: jax.Array, labels: jax.Array, classes: int, probability: float
) -> jax.Array:
    """The pixels that change, boolean `[B, H, W]`.

    Args:
      kind: of the mixing.
      key: of this step.
      labels: the most probable class of every pixel, `[B, H, W]`.
      classes: their number.
      probability: that an image is mixed.
    """
    count, *size = labels.shape
    if kind == "none":
        return jnp.zeros(labels.shape, bool)
    if kind != "classmix":
        draw = partial(mixing.random_half, size=(size[0], size[1]))
        return mixing.boxes(key, count, draw, probability)

    def one(image_key: jax.Array, of_image: jax.Array) -> jax.Array:
        apply_key, class_key = jax.random.split(image_key)
        kept = mixing.random_classes(class_key, of_image, classes)
        return ~kept & jax.random.bernoulli(apply_key, probability)

    return jax.vmap(one)(image_keys(key, count), labels)


def mixed(
    kind: Mixing, region: jax.Array, images: jax.Array, target: Target
) -> tuple[jax.Array, Target]:
    """Images `[B, H, W, channels]`, normalised, and their target, with the regions changed."""
    if kind == "cutout":
        labels = jnp.where(region, jnp.asarray(IGNORE, target.labels.dtype), target.labels)
        return mixing.paste(region, images, jnp.zeros_like(images)), target._replace(labels=labels)
    both = images, target
    return mixing.paste(region, both, mixing.next_images(both))
