"""Layers with PyTorch's arithmetic, which the published networks use."""

from __future__ import annotations

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from uaps_jax.models import cpu_conv
from uaps_jax.models.operations import operation

LEAKY_SLOPE = 0.01  # PyTorch's default for LeakyReLU


def conv(
    features: int,
    kernel: int,
    dtype: jnp.dtype | None,
    name: str,
    *,
    stride: int = 1,
    dilation: int = 1,
    padding: tuple[int, int] | None = None,
    bias: bool = True,
) -> nn.Conv:
    """A convolution: `[B, H, W, C]` to `[B, H / stride, W / stride, F]`.

    The padding of both directions is that of PyTorch, dilation * (kernel // 2), if it is None.
    """
    same = dilation * (kernel // 2)
    return nn.Conv(
        features,
        (kernel, kernel),
        strides=stride,
        kernel_dilation=dilation,
        padding=(padding or (same, same),) * 2,
        use_bias=bias,
        dtype=dtype,
        conv_general_dilated=cpu_conv.conv_general_dilated,
        name=name,
    )


class BatchNorm(nn.Module):
    """Batch normalisation with PyTorch's running statistics, per part of the batch.

    One forward pass of labeled and unlabeled images gives the statistics of two passes: the batch
    `[B * parts, ...]` is interleaved (image b of part p is at `b * parts + p`, so that a sharded
    batch needs no exchange), each part is normalised by its own mean and biased variance, and the
    running statistics are updated by one part after the other, with the unbiased variance
    (factor n / (n - 1)), as in PyTorch.

    Attributes:
      dtype: type of the output; statistics are computed in float32 or wider.
      momentum: weight of the new statistics in the running ones (PyTorch's convention).
      epsilon: added to the variance.
    """

    dtype: jnp.dtype | None = None
    momentum: float = 0.1
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, parts: int = 1) -> jax.Array:
        """Normalises `x` `[B * parts, H, W, C]`; `parts` is used in training only."""
        channels = x.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (channels,))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, (channels,), scale.dtype)
        running_var = self.variable("batch_stats", "var", jnp.ones, (channels,), scale.dtype)
        wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))

        if not train:
            y = _normalize(wide, running_mean.value, running_var.value, scale, bias, self.epsilon)
            return y.astype(self.dtype or x.dtype)

        in_parts = wide.reshape(-1, parts, *x.shape[1:])
        y, mean, var = _normalize_by_batch(in_parts, scale, bias, self.epsilon)
        if not self.is_initializing():
            count = in_parts.size // (parts * channels)
            for p in range(parts):
                new_mean = jax.lax.stop_gradient(mean[0, p, 0, 0])
                new_var = jax.lax.stop_gradient(var[0, p, 0, 0]) * (count / max(count - 1, 1))
                mean_so_far = running_mean.value
                running_mean.value = mean_so_far + self.momentum * (new_mean - mean_so_far)
                var_so_far = running_var.value
                running_var.value = var_so_far + self.momentum * (new_var - var_so_far)
        return y.reshape(x.shape).astype(self.dtype or x.dtype)


def _normalize(
    x: jax.Array,
    mean: jax.Array,
    var: jax.Array,
    scale: jax.Array,
    bias: jax.Array,
    epsilon: float,
) -> jax.Array:
    mean, var, scale, bias = (_like(x, v) for v in (mean, var, scale, bias))
    return (x - mean) * (scale * jax.lax.rsqrt(var + epsilon)) + bias


def _like(x: jax.Array, v: jax.Array) -> jax.Array:
    """`v` with leading axes of length one up to the rank of `x`."""
    return v.reshape((1,) * (x.ndim - v.ndim) + v.shape)


OVER_A_PART = (0, 2, 3)  # of `[B, parts, H, W, C]`


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _normalize_by_batch(
    x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """`[B, parts, H, W, C]` normalised by each part's statistics, and these statistics.

    The gradient is Ioffe and Szegedy's (2015): it needs `x` and the statistics only, where
    automatic differentiation would keep three arrays of the size of `x`. The returned statistics
    carry no gradient.
    """
    mean = x.mean(OVER_A_PART, keepdims=True)
    var = jnp.square(x - mean).mean(OVER_A_PART, keepdims=True)
    return _normalize(x, mean, var, scale, bias, epsilon), mean, var


def _normalize_by_batch_forward(
    x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float
) -> tuple[tuple[jax.Array, jax.Array, jax.Array], tuple[jax.Array, ...]]:
    y, mean, var = _normalize_by_batch(x, scale, bias, epsilon)
    return (y, mean, var), (x, scale, mean, jax.lax.rsqrt(var + epsilon))


def _normalize_by_batch_backward(
    epsilon: float, residuals: tuple[jax.Array, ...], cotangents: tuple[jax.Array, ...]
) -> tuple[jax.Array, jax.Array, jax.Array]:
    x, scale, mean, inverse = residuals
    g = cotangents[0]
    shape = (x - mean) * inverse
    sum_g = g.sum(OVER_A_PART, keepdims=True)
    sum_shape = (g * shape).sum(OVER_A_PART, keepdims=True)
    count = x.size // mean.size
    dx = _like(x, scale) * inverse * (g - sum_g / count - shape * (sum_shape / count))
    outside = (0, 1, 2, 3)
    return dx, sum_shape.sum(outside).astype(scale.dtype), sum_g.sum(outside).astype(scale.dtype)


_normalize_by_batch.defvjp(_normalize_by_batch_forward, _normalize_by_batch_backward)


@operation
def leaky_relu(x: jax.Array) -> jax.Array:
    """LeakyReLU with PyTorch's default slope."""
    return _leaky_relu(x)


@jax.custom_vjp
def _leaky_relu(x: jax.Array) -> jax.Array:
    return jnp.where(x >= 0, x, LEAKY_SLOPE * x)


def _leaky_relu_forward(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    y = _leaky_relu(x)
    return y, y  # y has the sign of x, and the next layer keeps it anyway


def _leaky_relu_backward(y: jax.Array, g: jax.Array) -> tuple[jax.Array]:
    return (jnp.where(y >= 0, g, LEAKY_SLOPE * g),)


_leaky_relu.defvjp(_leaky_relu_forward, _leaky_relu_backward)


def drop_elements(module: nn.Module, x: jax.Array, rate: float, *, train: bool) -> jax.Array:
    """Dropout of single elements in training, with the rng "dropout" of the module."""
    if not train or rate == 0:
        return x
    return dropout(module.make_rng("dropout"), x, rate, x.shape)


def drop_channels(module: nn.Module, x: jax.Array, rate: float, *, train: bool) -> jax.Array:
    """Dropout of whole channels of an image (PyTorch's Dropout2d) in training, likewise."""
    if not train or rate == 0:
        return x
    return dropout(module.make_rng("dropout"), x, rate, (x.shape[0], 1, 1, x.shape[-1]))


def dropout(key: jax.Array, x: jax.Array, rate: float, shape: tuple[int, ...]) -> jax.Array:
    """Sets elements to zero with probability `rate` and divides the rest by 1 - rate.

    Args:
      key: of the draw.
      x: any array.
      rate: below 1.
      shape: of the draw, which is broadcast to that of `x`.
    """
    keep = jax.random.bernoulli(key, 1 - rate, shape)
    return jnp.where(keep, x / (1 - rate), jnp.zeros_like(x))
