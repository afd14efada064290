"""Layers whose arithmetic follows PyTorch's, which the published networks rest on."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax.models.looped_conv import looped_conv

LEAKY_SLOPE = 0.01  # PyTorch's default for LeakyReLU


def conv(features: int, kernel: int, dtype: jnp.dtype | None, name: str) -> nn.Conv:
    """A stride-1 convolution with bias, padded to keep the image size."""
    return nn.Conv(
        features,
        (kernel, kernel),
        padding=kernel // 2,
        dtype=dtype,
        conv_general_dilated=looped_conv,
        name=name,
    )


class BatchNorm(nn.Module):
    """Batch normalisation with PyTorch's running statistics, per group of the batch.

    A step that runs labeled and unlabeled images in one forward pass keeps the statistics of
    each, as two forward passes would: the batch `[B * groups, ...]` is interleaved (image b of
    group g stands at `b * groups + g`, so that a sharded batch needs no exchange), each group is
    normalised by its own mean and biased variance, and the running statistics take the groups
    one after the other, with the unbiased variance (n / (n - 1)) as PyTorch stores it.

    Attributes:
      dtype: type of the output; statistics are computed in float32 or wider.
      momentum: share of the new statistics in the running ones (PyTorch's convention).
      epsilon: added to the variance.
    """

    dtype: jnp.dtype | None = None
    momentum: float = 0.1
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, groups: int = 1) -> jax.Array:
        """Normalises `x` `[B * groups, H, W, C]`; `groups` matters in training only."""
        channels = x.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (channels,))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, (channels,), scale.dtype)
        running_var = self.variable("batch_stats", "var", jnp.ones, (channels,), scale.dtype)
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))

        if not train:
            y = _normalize(wide, running_mean.value, running_var.value, scale, bias, self.epsilon)
            return y.astype(self.dtype or x.dtype)

        grouped = wide.reshape(-1, groups, *x.shape[1:])
        axes = (0, 2, 3)
        mean = grouped.mean(axes, keepdims=True)
        var = jnp.square(grouped - mean).mean(axes, keepdims=True)
        if not self.is_initializing():
            count = grouped.size // (groups * channels)
            for g in range(groups):
                new_mean = jax.lax.stop_gradient(mean[0, g, 0, 0])
                new_var = jax.lax.stop_gradient(var[0, g, 0, 0]) * (count / max(count - 1, 1))
                mean_so_far = running_mean.value
                running_mean.value = mean_so_far + self.momentum * (new_mean - mean_so_far)
                var_so_far = running_var.value
                running_var.value = var_so_far + self.momentum * (new_var - var_so_far)
        y = _normalize(grouped, mean, var, scale, bias, self.epsilon)
        return y.reshape(x.shape).astype(self.dtype or x.dtype)


def _normalize(
    x: jax.Array,
    mean: jax.Array,
    var: jax.Array,
    scale: jax.Array,
    bias: jax.Array,
    epsilon: float,
) -> jax.Array:
    factor = scale.reshape((1,) * (x.ndim - 1) + (-1,)) * jax.lax.rsqrt(
        var.reshape((1,) * (x.ndim - var.ndim) + var.shape) + epsilon
    )
    shift = mean.reshape((1,) * (x.ndim - mean.ndim) + mean.shape)
    return (x - shift) * factor + bias.reshape((1,) * (x.ndim - 1) + (-1,))


def leaky_relu(x: jax.Array) -> jax.Array:
    """LeakyReLU with PyTorch's default slope."""
    return nn.leaky_relu(x, LEAKY_SLOPE)


def max_pool(x: jax.Array) -> jax.Array:
    """2x2 max pooling with stride 2: `[B, H, W, C]` to `[B, H // 2, W // 2, C]`.

    Of equal values the first in row-major order takes the gradient, as in PyTorch; a NaN wins.
    Elementwise, because the gradient of XLA's windowed form is slow, and in float64 is gathered
    from all devices.
    """
    batch, height, width, channels = x.shape
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    quads = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    top = _first_larger(quads[:, :, 0, :, 0], quads[:, :, 0, :, 1])
    bottom = _first_larger(quads[:, :, 1, :, 0], quads[:, :, 1, :, 1])
    return _first_larger(top, bottom)


def _first_larger(first: jax.Array, second: jax.Array) -> jax.Array:
    return jnp.where((first >= second) | jnp.isnan(first), first, second)


def interpolation_matrix(size: int, out: int) -> np.ndarray:
    """The `[out, size]` matrix of 1-D linear interpolation with aligned corners.

    Output i reads position i * (size - 1) / (out - 1) (PyTorch, `align_corners=True`).
    """
    position = np.arange(out) * ((size - 1) / max(out - 1, 1))
    low = np.minimum(np.floor(position).astype(int), size - 1)
    high = np.minimum(low + 1, size - 1)
    share = position - low
    matrix = np.zeros((out, size))
    np.add.at(matrix, (np.arange(out), low), 1 - share)
    np.add.at(matrix, (np.arange(out), high), share)
    return matrix


def upsample(x: jax.Array) -> jax.Array:
    """Bilinear upsampling by 2 with aligned corners: `[B, H, W, C]` to `[B, 2H, 2W, C]`."""
    # Rounded weights would not add up to one: the sums are float32 or wider, whatever x is.
    wide = jnp.promote_types(x.dtype, jnp.float32)
    rows = jnp.asarray(interpolation_matrix(x.shape[1], 2 * x.shape[1]), wide)
    columns = jnp.asarray(interpolation_matrix(x.shape[2], 2 * x.shape[2]), wide)
    exact = jax.lax.Precision.HIGHEST
    y = jnp.einsum("oh,bhwc->bowc", rows, x.astype(wide), precision=exact)
    return jnp.einsum("ow,bhwc->bhoc", columns, y, precision=exact).astype(x.dtype)
