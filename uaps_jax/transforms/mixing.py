"""Boxes that are cut from one image and pasted into another; masks are boolean `[H, W]`."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def box(
    top: jax.Array, left: jax.Array, height: jax.Array, width: jax.Array, size: tuple[int, int]
) -> jax.Array:
    """True inside rows `top .. top + height` and columns `left .. left + width` (end excluded)."""
    rows, columns = jnp.arange(size[0])[:, None], jnp.arange(size[1])[None]
    return (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)


def random_half(key: jax.Array, size: tuple[int, int]) -> jax.Array:
    """A box of half the image, of random aspect, anywhere inside (UCC, in UAPS's study).

    Its width w is uniform in W/2 + 1 .. W - 1, its height round(H W / 2 / w).
    """
    width_key, top_key, left_key = jax.random.split(key, 3)
    width = jax.random.randint(width_key, (), size[1] // 2 + 1, size[1])
    height = jnp.round(size[0] * size[1] / 2 / width).astype(jnp.int32)
    top = jax.random.randint(top_key, (), 0, size[0] - height + 1)
    left = jax.random.randint(left_key, (), 0, size[1] - width + 1)
    return box(top, left, height, width, size)


def random_boxes(
    key: jax.Array, size: tuple[int, int], *, count: int, area: tuple[float, float]
) -> jax.Array:
    """`count` boxes of random aspect, overlaps cancelled (CutMix-Seg, French et al. 2020).

    Each covers a `count`-th of a share drawn from U(area), p; its height is p^u of the image's,
    u ~ U(0, 1), its width p^(1 - u), both times sqrt(1 / count). All lie inside.
    """
    share_key, aspect_key, place_key = jax.random.split(key, 3)
    share = jax.random.uniform(share_key, (count,), minval=area[0], maxval=area[1])
    tall = share ** jax.random.uniform(aspect_key, (count,))
    sides = jnp.stack([tall, share / tall], axis=1) * (1 / count) ** 0.5
    whole = jnp.asarray([size], jnp.float32)
    sides = jnp.round(sides * whole).astype(jnp.int32)
    room = whole - sides
    corner = jnp.round(room * jax.random.uniform(place_key, (count, 2))).astype(jnp.int32)
    mask = jnp.zeros(size, bool)
    for (top, left), (height, width) in zip(corner, sides, strict=True):
        mask ^= box(top, left, height, width, size)
    return mask


def paste(mask: jax.Array, onto: jax.Array, source: jax.Array) -> jax.Array:
    """`source` where `mask` `[B, H, W]` holds, else `onto`; both `[B, H, W]` or `[B, H, W, C]`."""
    mask = mask.reshape(mask.shape + (1,) * (onto.ndim - mask.ndim))
    return jnp.where(mask, source, onto)
