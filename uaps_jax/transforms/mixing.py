"""Random regions, boolean `[H, W]`: boxes for Cutout and CutMix, classes for ClassMix."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp

from uaps_jax.transforms.fields import Fields, fill_value
from uaps_jax.transforms.keys import image_keys

T = TypeVar("T")

CUTMIX_ASPECT = (0.3, 1 / 0.3)
"""Range of height / width of a CutMix box (UniMatch)."""

TRIES = 256
"""Rectangles drawn until one is inside the image. With areas up to 0.4 and UniMatch's aspects, all
of them fail for one image in 10^7."""


def box(
    top: jax.Array, left: jax.Array, height: jax.Array, width: jax.Array, size: tuple[int, int]
) -> jax.Array:
    """True inside rows `top .. top + height` and columns `left .. left + width` (end excluded)."""
    rows, columns = jnp.arange(size[0])[:, None], jnp.arange(size[1])[None]
    return (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)


def boxes(
    key: jax.Array,
    count: int,
    draw: Callable[[jax.Array], jax.Array],
    probability: float | None = None,
) -> jax.Array:
    """A mask `[count, H, W]` for each image of a batch, drawn from the image's own key.

    Args:
      key: of this training step and use.
      count: images of the batch.
      draw: `key -> mask` `[H, W]`, such as `random_half` with its size bound.
      probability: of a mask; otherwise it is empty. None: every image has a mask.
    """

    def one(image_key: jax.Array) -> jax.Array:
        if probability is None:
            return draw(image_key)
        apply_key, box_key = jax.random.split(image_key)
        return draw(box_key) & jax.random.bernoulli(apply_key, probability)

    return jax.vmap(one)(image_keys(key, count))


def random_half(key: jax.Array, size: tuple[int, int]) -> jax.Array:
    """A box of half the image, of random aspect, anywhere inside (U2PL; UCC, in UAPS's study).

    Its width w is uniform in W/2 + 1 .. W - 1, its height round(H W / 2 / w).
    """
    width_key, top_key, left_key = jax.random.split(key, 3)
    width = jax.random.randint(width_key, (), size[1] // 2 + 1, size[1])
    height = jnp.round(size[0] * size[1] / 2 / width).astype(jnp.int32)
    top = jax.random.randint(top_key, (), 0, size[0] - height + 1)
    left = jax.random.randint(left_key, (), 0, size[1] - width + 1)
    return box(top, left, height, width, size)


def random_part(key: jax.Array, size: tuple[int, int], *, side: float) -> jax.Array:
    """A box anywhere inside the image; its sides are round(`side` * those of the image) (BCP)."""
    sides = jnp.asarray([round(side * pixels) for pixels in size])
    top, left = jax.random.randint(key, (2,), 0, jnp.asarray(size) - sides + 1)
    return box(top, left, sides[0], sides[1], size)


def random_rectangle(
    key: jax.Array,
    size: tuple[int, int],
    *,
    area: tuple[float, float],
    aspect: tuple[float, float],
) -> jax.Array:
    """A box inside the image that covers a random fraction of it (Cutout in ST++, CutMix in
    UniMatch).

    The fraction a is drawn from U(area) once. The aspect r = height / width, from U(aspect), and
    the upper left, anywhere in the image, are drawn until the box is inside; its height is
    floor(sqrt(a H W r)), its width floor(sqrt(a H W / r)). If all of `TRIES` draws fail, the first
    box is clipped to the image.
    """
    area_key, aspect_key, corner_key = jax.random.split(key, 3)
    fraction = jax.random.uniform(area_key, (), minval=area[0], maxval=area[1])
    ratio = jax.random.uniform(aspect_key, (TRIES,), minval=aspect[0], maxval=aspect[1])
    pixels, image_size = fraction * (size[0] * size[1]), jnp.asarray(size)
    sides = jnp.sqrt(jnp.stack([pixels * ratio, pixels / ratio], axis=1)).astype(jnp.int32)
    corners = jax.random.randint(corner_key, (TRIES, 2), 0, image_size[None])
    first = (corners + sides <= image_size[None]).all(1).argmax()
    (top, left), (height, width) = corners[first], sides[first]
    return box(top, left, height, width, size)


def random_cutout(
    key: jax.Array,
    fields: Fields,
    *,
    probability: float,
    area: tuple[float, float],
    aspect: tuple[float, float],
    noise: bool,
) -> Fields:
    """With `probability`, cuts a `random_rectangle` out of all fields.

    The image becomes 0 there (U2PL), or with `noise` uniform from 0..255 per pixel and channel
    (ST++); other fields become their `fill_value`.
    """
    apply_key, box_key, fill_key = jax.random.split(key, 3)
    image = fields["image"]
    height, width = image.shape[:2]
    hole = random_rectangle(box_key, (height, width), area=area, aspect=aspect)
    hole &= jax.random.bernoulli(apply_key, probability)
    fill = jnp.zeros((), image.dtype)
    if noise:
        fill = jax.random.uniform(fill_key, image.shape, image.dtype, 0, 255)
    cut = {
        name: jnp.where(hole, jnp.asarray(fill_value(name), x.dtype), x)
        for name, x in fields.items()
        if name != "image"
    }
    return cut | {"image": jnp.where(hole[..., None], fill, image)}


def random_boxes(
    key: jax.Array, size: tuple[int, int], *, count: int, area: tuple[float, float]
) -> jax.Array:
    """`count` boxes of random aspect, combined by XOR (CutMix-Seg, French et al. 2020).

    Each covers p / `count` of the image, p ~ U(area): its height is p^u of the image's,
    u ~ U(0, 1), its width p^(1 - u), both times sqrt(1 / count). All are inside the image.
    """
    area_key, aspect_key, corner_key = jax.random.split(key, 3)
    fraction = jax.random.uniform(area_key, (count,), minval=area[0], maxval=area[1])
    tall = fraction ** jax.random.uniform(aspect_key, (count,))
    sides = jnp.stack([tall, fraction / tall], axis=1) * (1 / count) ** 0.5
    image_size = jnp.asarray([size], jnp.float32)
    sides = jnp.round(sides * image_size).astype(jnp.int32)
    margin = image_size - sides
    corner = jnp.round(margin * jax.random.uniform(corner_key, (count, 2))).astype(jnp.int32)
    mask = jnp.zeros(size, bool)
    for (top, left), (height, width) in zip(corner, sides, strict=True):
        mask ^= box(top, left, height, width, size)
    return mask


def random_classes(key: jax.Array, labels: jax.Array, classes: int) -> jax.Array:
    """The pixels of a random half, rounded down, of the classes in an image (ClassMix, Olsson et
    al. 2021).

    Args:
      key: of this image.
      labels: class ids `[H, W]`.
      classes: their number.
    """
    is_present = (labels[..., None] == jnp.arange(classes).reshape(1, 1, -1)).any((0, 1))
    scores = jnp.where(is_present, jax.random.uniform(key, (classes,)), 2.0)
    place = jnp.zeros(classes, jnp.int32).at[jnp.argsort(scores)].set(jnp.arange(classes))
    is_chosen = place < is_present.sum() // 2
    return is_chosen[labels]


def paste(mask: jax.Array, onto: T, source: T) -> T:
    """`source` where `mask` `[B, H, W]` is true, else `onto`: trees of arrays `[B, H, W, ...]`."""

    def one(x: jax.Array, y: jax.Array) -> jax.Array:
        return jnp.where(mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim)), y, x)

    pasted: T = jax.tree.map(one, onto, source)
    return pasted


def next_images(batch: T) -> T:
    """For each image of a batch, the next one; the first for the last: a tree of arrays."""
    rolled: T = jax.tree.map(lambda x: jnp.roll(x, -1, axis=0), batch)
    return rolled
