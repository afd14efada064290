"""Flips, turns and distortion of one image `[H, W, C]`; the mask moves with it."""

from __future__ import annotations

import jax
import jax.numpy as jnp

GRID_CELLS, GRID_LIMIT = 5, 0.3  # albumentations' defaults of GridDistortion


def random_flip(
    key: jax.Array, image: jax.Array, mask: jax.Array, *, horizontal: float, vertical: float
) -> tuple[jax.Array, jax.Array]:
    """Mirrors left-right and up-down, each with its own probability."""
    h_key, v_key = jax.random.split(key)
    for axis, k, p in ((1, h_key, horizontal), (0, v_key, vertical)):
        flip = jax.random.bernoulli(k, p)
        image = jnp.where(flip, jnp.flip(image, axis), image)
        mask = jnp.where(flip, jnp.flip(mask, axis), mask)
    return image, mask


def random_rot90(
    key: jax.Array, image: jax.Array, mask: jax.Array, *, probability: float
) -> tuple[jax.Array, jax.Array]:
    """With `probability`, turns by k * 90 degrees, k uniform in {0, 1, 2, 3}; square images."""
    apply_key, turns_key = jax.random.split(key)
    turns = jax.random.randint(turns_key, (), 0, 4)
    turns = jnp.where(jax.random.bernoulli(apply_key, probability), turns, 0)
    return rot90(image, turns), rot90(mask, turns)


def rot90(x: jax.Array, turns: jax.Array) -> jax.Array:
    """`numpy.rot90(x, turns)` for traced `turns` in {0, 1, 2, 3} and a square `x` `[S, S, ...]`.

    A quarter turn is a transposition followed by a vertical flip; half a turn is two flips.
    """
    x = jnp.where(turns % 2 == 1, jnp.swapaxes(x, 0, 1), x)
    x = jnp.where((turns == 1) | (turns == 2), jnp.flip(x, 0), x)
    return jnp.where((turns == 2) | (turns == 3), jnp.flip(x, 1), x)


def random_grid_distortion(
    key: jax.Array, image: jax.Array, mask: jax.Array, *, probability: float
) -> tuple[jax.Array, jax.Array]:
    """With `probability`, stretches the cells of a 5 x 5 grid by factors from U(0.7, 1.3).

    The image is read bilinearly, the mask at the nearest pixel, and what lies outside is mirrored
    without the edge pixel (albumentations' GridDistortion).
    """
    apply_key, row_key, column_key = jax.random.split(key, 3)
    limits = (GRID_CELLS + 1,), jnp.float32, 1 - GRID_LIMIT, 1 + GRID_LIMIT
    rows = grid_coordinates(image.shape[0], jax.random.uniform(row_key, *limits))
    columns = grid_coordinates(image.shape[1], jax.random.uniform(column_key, *limits))
    moved = remap(image, rows, columns).astype(image.dtype)
    moved_mask = remap_nearest(mask, rows, columns)
    chosen = jax.random.bernoulli(apply_key, probability)
    return jnp.where(chosen, moved, image), jnp.where(chosen, moved_mask, mask)


def grid_coordinates(size: int, factors: jax.Array) -> jax.Array:
    """Where each of `size` pixels of an axis is read, in pixels; float32 `[size]`.

    The axis is cut into cells of `size // 5` pixels; cell i is read from a stretch `factors[i]`
    times as long that starts where the last one ended, and a rest ends at the border.
    """
    step = size // GRID_CELLS
    pieces, begin = [], jnp.zeros((), factors.dtype)
    for cell, start in enumerate(range(0, size, step)):
        stop = start + step
        end = begin + step * factors[cell] if stop <= size else jnp.asarray(size, factors.dtype)
        pieces.append(jnp.linspace(begin, end, min(stop, size) - start))
        begin = end
    return jnp.concatenate(pieces)


def remap(image: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """Bilinear `image` `[H, W, C]` at every (row, column); float32 or wider."""
    x = image.astype(jnp.promote_types(image.dtype, jnp.float32))
    for axis, at in ((0, rows), (1, columns)):
        low = jnp.floor(at)
        share = (at - low).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        first, second = (
            jnp.take(x, _mirrored(low + offset, x.shape[axis]), axis=axis) for offset in (0, 1)
        )
        x = first * (1 - share) + second * share
    return x


def remap_nearest(mask: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """`mask` `[H, W]` at the pixel nearest to every (row, column)."""
    for axis, at in ((0, rows), (1, columns)):
        mask = jnp.take(mask, _mirrored(jnp.floor(at + 0.5), mask.shape[axis]), axis=axis)
    return mask


def _mirrored(position: jax.Array, size: int) -> jax.Array:
    """Whole positions, folded back into 0 .. size - 1 about the border pixels (reflect 101)."""
    period = max(2 * (size - 1), 1)
    folded = jnp.mod(position.astype(jnp.int32), period)
    return jnp.minimum(folded, period - folded)
