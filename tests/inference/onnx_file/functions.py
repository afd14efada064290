"""Functions of images `[N, H, W, CHANNELS]`, H and W multiples of four, to be exported."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax.models import depthwise, efficientnet_lite, layers, pooling, resize

CHANNELS = 3


def kernel(*shape):
    return np.random.default_rng(1).normal(size=shape).astype(np.float32) / 3


def along_channels(first, last):
    return jnp.linspace(first, last, 5)[None, None, None]


def conv(x, *, shape=(3, 3, CHANNELS, 5), strides=(1, 1), padding="SAME", **options):
    return jax.lax.conv_general_dilated(
        x, kernel(*shape), strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"), **options
    )


def normalised_in_groups(x):
    n, h, w, _ = x.shape
    y = conv(x, shape=(1, 1, CHANNELS, 4)).reshape(n, h, w, 2, 2)
    y = (y - y.mean((1, 2, 4), keepdims=True)) / jnp.sqrt(y.var((1, 2, 4), keepdims=True) + 1e-5)
    return y.reshape(n, h, w, 4)


def attention(x):
    n, h, w, c = x.shape
    y = x.reshape(n, h * w, c)
    weights = nn.softmax(jnp.einsum("nic,njc->nij", y, y))
    return jnp.einsum("nij,njc->nic", weights, y).reshape(n, h, w, c)


def squeeze_and_excitation(x):
    gate = nn.sigmoid(x.mean((1, 2)) @ kernel(CHANNELS, CHANNELS))
    return x * gate[:, None, None]


def shifted(x):
    return jnp.pad(x, ((0, 0), (1, 0), (0, 2), (0, 0)), constant_values=7.0)[:, :-1, 2:]


def places(x):
    return x + jnp.arange(x.shape[1], dtype=x.dtype)[None, :, None, None] / x.shape[2]


FUNCTIONS = {
    "nothing": lambda x: x,
    "arithmetic": lambda x: 2 - (x * x + 1) / (3 - x) + 0.5 * -x,
    "powers": lambda x: x**3 + jnp.square(x) + jnp.abs(x) ** 0.7 + jax.lax.rsqrt(1 + x * x),
    "exponentials": lambda x: jnp.log1p(jnp.exp(x)) + jnp.expm1(x) + jnp.log(1.5 + jnp.cos(x)),
    "rounding": lambda x: jnp.floor(3 * x) + jnp.ceil(2 * x) + jnp.sign(x),
    "comparisons": lambda x: jnp.where((x > 0) & ~(x >= 1) | (x < -1), x, 2 * x),
    "comparisons of numbers": lambda x: (x != 0.5) * 1.0 + (x == x) * 2.0 + (x <= 0) * 4.0,
    "whole numbers": lambda x: ((jnp.int32(1) + (7 * x).astype(jnp.int32)) // 2 % 3).astype(float),
    "limits": lambda x: jnp.clip(x, -0.5, 0.7) + jnp.minimum(x, 0.1) + jnp.maximum(x, 0),
    "nn.relu": nn.relu,
    "nn.relu6": nn.relu6,
    "nn.silu": nn.silu,
    "nn.gelu": nn.gelu,
    "nn.gelu, exact": functools.partial(nn.gelu, approximate=False),
    "nn.elu": nn.elu,
    "nn.softplus": nn.softplus,
    "nn.tanh": nn.tanh,
    "nn.softmax": nn.softmax,
    "nn.log_softmax over rows": functools.partial(nn.log_softmax, axis=1),
    "nn.max_pool": lambda x: nn.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1))),
    "nn.avg_pool": lambda x: nn.avg_pool(x, (2, 2), (2, 2)),
    "nn.avg_pool, padded": lambda x: nn.avg_pool(x, (3, 3), (1, 1), "SAME"),
    "convolution": conv,
    "convolution, strided": lambda x: conv(x, strides=(2, 2), padding=((0, 1), (0, 1))),
    "convolution, dilated": lambda x: conv(x, rhs_dilation=(2, 2)),
    "convolution, grouped": lambda x: conv(x, shape=(3, 3, 1, 6), feature_group_count=3),
    "convolution, transposed": lambda x: conv(x, padding=((2, 1), (1, 2)), lhs_dilation=(2, 2)),
    "convolution, wider": lambda x: conv(x, padding=((2, 3), (2, 3)), lhs_dilation=(2, 2)),
    "convolution, channels first": lambda x: jax.lax.conv_general_dilated(
        x.transpose(0, 3, 1, 2), kernel(5, CHANNELS, 3, 3), (1, 1), "SAME"
    ),
    "convolution of a row": lambda x: jax.lax.conv_general_dilated(
        x[:, 0].swapaxes(1, 2), kernel(5, CHANNELS, 3), (1,), "SAME"
    ),
    "convolution, scaled": lambda x: (
        (1 - conv(x)) * along_channels(2, 6) / 3 - along_channels(0, 4)
    ),
    "convolution, scaled by pixel": lambda x: conv(x) * x[:1, :, :, :1] + along_channels(0, 4),
    "convolution, used twice": lambda x: conv(x) + 1 + nn.relu(conv(x) * 2),
    "reciprocal of a convolution": lambda x: 1 / (9 + conv(x)),
    "product": lambda x: x @ kernel(CHANNELS, 4),
    "product of a vector": lambda x: x @ kernel(CHANNELS),
    "sums": lambda x: x.sum(0) + x.max((0, 3), keepdims=True)[0] + x.min(),
    "sum over rows": lambda x: x.sum(1),
    "product over columns": lambda x: x.prod(2),
    "means": lambda x: x - x.mean((1, 2), keepdims=True) + x.mean(),
    "places of maxima": lambda x: (x.argmax(-1) + 2 * x.argmin(1).min()).astype(jnp.float32),
    "reshape": lambda x: x.reshape(x.shape[0], -1),
    "reshape, two sizes": lambda x: x.reshape(x.shape[0] * x.shape[1], x.shape[2] * CHANNELS),
    "space to depth": lambda x: (
        x.reshape(x.shape[0], x.shape[1] // 2, 2, x.shape[2] // 2, 2, CHANNELS)
        .transpose(0, 1, 3, 2, 4, 5)
        .reshape(x.shape[0], x.shape[1] // 2, x.shape[2] // 2, 4 * CHANNELS)
    ),
    "transpose": lambda x: x.transpose(1, 0, 3, 2),
    "rows as images": lambda x: x[None, 0],
    "one row": lambda x: x[:, 2],
    "one channel": lambda x: x[..., 1],
    "last columns": lambda x: x[:, :, -3:],
    "every second row": lambda x: x[:, ::2],
    "every second pixel": lambda x: x[:, 1::2, ::2, 1],
    "rows in another order": lambda x: x[:, jnp.array([2, 0, 1, 1])],
    "turned": lambda x: x[:, ::-1, :, ::-1],
    "split": lambda x: jnp.concatenate(jnp.split(x, 3, -1)[::-1], -1),
    "dynamic slice": lambda x: jax.lax.dynamic_slice_in_dim(x, 1, 2, axis=1),
    "slice": lambda x: jax.lax.slice_in_dim(x, 1, x.shape[2], stride=2, axis=2),
    "stack": lambda x: jnp.stack([x, 2 * x], axis=3),
    "repeated": lambda x: jnp.broadcast_to(x.mean(0), (2, *x.shape)),
    "ones": lambda x: jnp.concatenate([x, jnp.ones_like(x)], axis=-1),
    "constant": lambda x: jnp.broadcast_to(jnp.arange(3.0), x.shape),
    "padding": shifted,
    "places": places,
    "jax.image.resize": lambda x: jax.image.resize(
        x, (x.shape[0], 2 * x.shape[1], 2 * x.shape[2], CHANNELS), "bilinear"
    ),
    "group normalisation": normalised_in_groups,
    "layer normalisation": lambda x: nn.LayerNorm().apply(
        {"params": {"scale": kernel(CHANNELS), "bias": kernel(CHANNELS)}}, x
    ),
    "attention": attention,
    "squeeze and excitation": squeeze_and_excitation,
    "checkpoint": jax.checkpoint(lambda x: jnp.sin(x) * 2),
    "pooling.max_pool_2x2": pooling.max_pool_2x2,
    "pooling.max_pool_3x3": pooling.max_pool_3x3,
    "pooling.global_mean": pooling.global_mean,
    "pooling.adaptive_mean": functools.partial(pooling.adaptive_mean, bins=3),
    "resize.upsample": resize.upsample,
    "resize.resize, by a factor": lambda x: resize.resize(x, 4 * x.shape[1], 2 * x.shape[2]),
    "resize.resize": lambda x: resize.resize(x, x.shape[1] + 3, x.shape[2] // 4),
    "resize.resize, from one": lambda x: resize.resize(x[:, :1, :1], x.shape[1], x.shape[2]),
    "layers.leaky_relu": layers.leaky_relu,
    "efficientnet_lite.relu6": lambda x: efficientnet_lite.relu6(4 * x),
    "depthwise.convolve": lambda x: depthwise.convolve(
        x, kernel(5, 5, CHANNELS), stride=2, padding=(1, 2)
    ),
}
