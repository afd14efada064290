"""Flips, rotations, distortion, scaling and crops of one image, applied to all of its fields."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from uaps_jax.transforms.fields import Fields, fill_value

GRID_CELLS, GRID_LIMIT = 5, 0.3  # albumentations' defaults of GridDistortion


def random_flip(key: jax.Array, fields: Fields, *, horizontal: float, vertical: float) -> Fields:
    """Mirrors left-right and up-down, each with its own probability."""
    h_key, v_key = jax.random.split(key)
    for axis, k, p in ((1, h_key, horizontal), (0, v_key, vertical)):
        flip = jax.random.bernoulli(k, p)
        fields = {name: jnp.where(flip, jnp.flip(x, axis), x) for name, x in fields.items()}
    return fields


def random_rot90(key: jax.Array, fields: Fields, *, probability: float) -> Fields:
    """With `probability`, rotates by k * 90 degrees, k uniform in {0, 1, 2, 3}; square images."""
    apply_key, turns_key = jax.random.split(key)
    turns = jax.random.randint(turns_key, (), 0, 4)
    turns = jnp.where(jax.random.bernoulli(apply_key, probability), turns, 0)
    return {name: rot90(x, turns) for name, x in fields.items()}


def rot90(x: jax.Array, turns: jax.Array) -> jax.Array:
    """`numpy.rot90(x, turns)` for traced `turns` in {0, 1, 2, 3} and a square `x` `[S, S, ...]`.

    A quarter turn is a transposition and a vertical flip; a half turn is two flips.
    """
    x = jnp.where(turns % 2 == 1, jnp.swapaxes(x, 0, 1), x)
    x = jnp.where((turns == 1) | (turns == 2), jnp.flip(x, 0), x)
    return jnp.where((turns == 2) | (turns == 3), jnp.flip(x, 1), x)


def random_grid_distortion(key: jax.Array, fields: Fields, *, probability: float) -> Fields:
    """With `probability`, stretches the cells of a 5 x 5 grid by factors from U(0.7, 1.3).

    Outside the image, all fields are mirrored without the edge pixel (albumentations'
    GridDistortion).
    """
    apply_key, row_key, column_key = jax.random.split(key, 3)
    height, width = fields["image"].shape[:2]
    limits = (GRID_CELLS + 1,), jnp.float32, 1 - GRID_LIMIT, 1 + GRID_LIMIT
    rows = grid_coordinates(height, jax.random.uniform(row_key, *limits))
    columns = grid_coordinates(width, jax.random.uniform(column_key, *limits))
    chosen = jax.random.bernoulli(apply_key, probability)

    def moved(name: str, x: jax.Array) -> jax.Array:
        if name == "image":
            return remap(x, rows, columns).astype(x.dtype)
        return remap_nearest(x, rows, columns)

    return {name: jnp.where(chosen, moved(name, x), x) for name, x in fields.items()}


def grid_coordinates(size: int, factors: jax.Array) -> jax.Array:
    """The source position of each of `size` pixels of an axis, in pixels; float32 `[size]`.

    The axis is cut into cells of `size // 5` pixels. The source of cell i is `factors[i]` times as
    long and starts where that of cell i - 1 ended; a remainder ends at the border.
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
        fraction = (at - low).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        first, second = (
            jnp.take(x, _mirrored(low + offset, x.shape[axis]), axis=axis) for offset in (0, 1)
        )
        x = first * (1 - fraction) + second * fraction
    return x


def remap_nearest(mask: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """`mask` `[H, W]` at the pixel nearest to every (row, column)."""
    for axis, at in ((0, rows), (1, columns)):
        mask = jnp.take(mask, _mirrored(jnp.floor(at + 0.5), mask.shape[axis]), axis=axis)
    return mask


def _mirrored(position: jax.Array, size: int) -> jax.Array:
    """Integer positions, mirrored at the border pixels into 0 .. size - 1 (reflect 101)."""
    period = max(2 * (size - 1), 1)
    folded = jnp.mod(position.astype(jnp.int32), period)
    return jnp.minimum(folded, period - folded)


def random_scale_crop(
    key: jax.Array,
    fields: Fields,
    *,
    probability: float,
    factors: tuple[float, ...],
    size: tuple[int, int],
) -> Fields:
    """With `probability`, resizes by a random factor; then always crops `size` at random.

    The factor is uniform between two neighbours in `factors`, each pair equally likely:
    (low, high), or (0.5, 1, 2), half the time below 1 and half the time above (U2PL). A scaled
    image smaller than `size` is at the upper left, padded by its mirror image, edge pixel
    included; other fields are padded by `fill_value`. A side of 0 in `size` is that of the image.
    """
    apply_key, pair_key, factor_key, corner_key = jax.random.split(key, 4)
    limits = jnp.asarray(factors, jnp.float32)
    pair = jax.random.randint(pair_key, (), 0, len(factors) - 1)
    factor = jax.random.uniform(factor_key, (), jnp.float32, limits[pair], limits[pair + 1])
    factor = jnp.where(jax.random.bernoulli(apply_key, probability), factor, 1)
    image_size = fields["image"].shape[:2]
    height, width = size[0] or image_size[0], size[1] or image_size[1]
    scaled = jnp.maximum(jnp.round(factor * jnp.asarray(image_size)), 1).astype(jnp.int32)
    margin = jnp.maximum(scaled - jnp.asarray((height, width)), 0)
    corner = jax.random.randint(corner_key, (2,), 0, margin + 1)
    return scale_crop(fields, scaled, corner, (height, width))


def scale_crop(
    fields: Fields, scaled: jax.Array, corner: jax.Array, size: tuple[int, int]
) -> Fields:
    """Rows and columns `corner .. corner + size` of the fields resized to `scaled`.

    The image is interpolated as in PIL: bilinearly, with an antialiasing filter where it shrinks.

    Args:
      fields: `[H, W, ...]`.
      scaled: height and width after resizing, integers `[2]`, traced.
      corner: upper left of the crop in the resized image, likewise.
      size: of the crop.
    """
    positions = [corner[axis] + jnp.arange(size[axis]) for axis in (0, 1)]
    beyond = (positions[0] >= scaled[0])[:, None] | (positions[1] >= scaled[1])[None]
    # Positions beyond the resized image are mirrored back into it.
    shown = [jnp.mod(p, 2 * n) for p, n in zip(positions, scaled, strict=True)]
    shown = [jnp.minimum(p, 2 * n - 1 - p) for p, n in zip(shown, scaled, strict=True)]

    def moved(name: str, x: jax.Array) -> jax.Array:
        if name == "image":
            rows, columns = (
                _resize_weights(p, n, length)
                for p, n, length in zip(shown, scaled, x.shape[:2], strict=True)
            )
            exact = jax.lax.Precision.HIGHEST
            return jnp.einsum("ih,jw,hwc->ijc", rows, columns, x, precision=exact).astype(x.dtype)
        rows, columns = (
            (2 * p + 1) * length // (2 * n)
            for p, n, length in zip(shown, scaled, x.shape[:2], strict=True)
        )
        nearest = jnp.take(jnp.take(x, rows, axis=0), columns, axis=1)
        return jnp.where(beyond, jnp.asarray(fill_value(name), x.dtype), nearest)

    return {name: moved(name, x) for name, x in fields.items()}


def _resize_weights(positions: jax.Array, scaled: jax.Array, length: int) -> jax.Array:
    """Weights of the `length` pixels of an axis in the resized pixels at `positions`.

    A triangle around the position, of half width 1, or of `length / scaled` where the axis
    shrinks; its part outside the image is left out.
    """
    ratio = length / scaled.astype(jnp.float32)
    centers = (positions + 0.5) * ratio - 0.5
    distance = jnp.abs(centers[:, None] - jnp.arange(length)[None]) / jnp.maximum(ratio, 1)
    weights = jnp.maximum(1 - distance, 0)
    return weights / weights.sum(1, keepdims=True)
