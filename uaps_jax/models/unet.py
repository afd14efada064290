"""UAPS's network: one U-Net encoder and an ensemble of decoders (UAPS, Sec. 3; released code).

The encoder runs once. Decoder 0, the main one, reads its clean feature pyramid; each auxiliary
decoder reads a perturbed copy. All decoders share one architecture and live in one tree with a
leading axis.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.models import initialize, layers, perturb
from uaps_jax.trees import Tree

Pyramid = Sequence[jax.Array]


@dataclass(slots=True, kw_only=True)
class UNetConfig(c.NetworkConfig):
    """The U-Net."""

    name: ClassVar[str] = "unet"

    widths: tuple[int, ...] = field(  # encoder channels per level
        metadata=c.rule(
            lambda v: len(v) >= 2 and all(w > 0 for w in v), "needs two or more positive numbers"
        )
    )
    dropout: tuple[float, ...] = field(metadata=c.each(c.below_one()))  # encoder dropout per level

    @property
    def stride(self) -> int:
        """Each level but the first has half the sides of the one before."""
        return int(2 ** max(len(self.widths) - 1, 0))

    def problems(self, config: Config) -> Iterator[str]:
        """Images of other sizes, and rates for another number of levels."""
        yield from c.NetworkConfig.problems(self, config)
        yield from c.check(
            config,
            "network.dropout",
            len(self.dropout) == len(self.widths),
            f"needs {len(self.widths)} rates, one a level",
        )


class Outputs(NamedTuple):
    """What a model returns.

    Attributes:
      logits: `[K, B, H, W, C]`, head 0 is the main one.
      spread: raw output of the variance head `[K, B, H, W]`, None without one.
    """

    logits: jax.Array
    spread: jax.Array | None


class ConvBlock(nn.Module):
    """Conv 3x3, BN, LeakyReLU, dropout, conv 3x3, BN, LeakyReLU.

    Attributes:
      features: output channels.
      rate: dropout rate between the two convolutions.
      grouped: whether its convolutions become grouped ones under vmap.
      dtype: compute type; parameters and statistics stay float32.
    """

    features: int
    rate: float = 0.0
    grouped: bool = False
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, groups: int) -> jax.Array:
        """`[B, H, W, C]` to `[B, H, W, features]`."""
        x = layers.conv(self.features, 3, self.dtype, "conv_0", grouped=self.grouped)(x)
        x = layers.BatchNorm(self.dtype, name="norm_0")(x, train=train, groups=groups)
        x = layers.leaky_relu(x)
        if train and self.rate:
            x = perturb.dropout(self.make_rng("dropout"), x, rate=self.rate)
        x = layers.conv(self.features, 3, self.dtype, "conv_1", grouped=self.grouped)(x)
        x = layers.BatchNorm(self.dtype, name="norm_1")(x, train=train, groups=groups)
        return layers.leaky_relu(x)


class Encoder(nn.Module):
    """Five levels of `ConvBlock`, each after a 2x2 max pooling but the first.

    Attributes:
      widths: channels per level.
      rates: dropout rate per level.
      dtype: compute type.
    """

    widths: Sequence[int]
    rates: Sequence[float]
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool, groups: int = 1) -> list[jax.Array]:
        """Images `[B, H, W, C]` to the pyramid, level l `[B, H / 2^l, W / 2^l, widths[l]]`."""
        pyramid: list[jax.Array] = []
        for level, (width, rate) in enumerate(zip(self.widths, self.rates, strict=True)):
            x = layers.max_pool(x) if level else x
            block = ConvBlock(width, rate, dtype=self.dtype, name=f"block_{level}")
            x = block(x, train=train, groups=groups)
            pyramid.append(x)
        return pyramid


class Decoder(nn.Module):
    """Per level: 1x1 conv, bilinear x2 (aligned corners), concat [skip, up], `ConvBlock`.

    The released configuration says `bilinear: False`, but the flag never reaches the decoder:
    the published network and its parameter count are the bilinear ones.

    Attributes:
      widths: channels per level of the pyramid it reads.
      classes: output channels.
      variance: whether there is a variance head, a 1x1 convolution to one channel.
      grouped: whether its convolutions become grouped ones under vmap.
      dtype: compute type.
    """

    widths: Sequence[int]
    classes: int
    variance: bool = False
    grouped: bool = False
    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, pyramid: Pyramid, *, train: bool, groups: int = 1) -> Outputs:
        """The pyramid to logits `[B, H, W, classes]`, float32 or wider; `spread` `[B, H, W]`."""
        conv = functools.partial(layers.conv, grouped=self.grouped)
        x = pyramid[-1]
        for level in reversed(range(len(self.widths) - 1)):
            width = self.widths[level]
            x = layers.upsample(conv(width, 1, self.dtype, f"reduce_{level}")(x))
            x = jnp.concatenate([pyramid[level], x], axis=-1)
            block = ConvBlock(width, 0.0, self.grouped, self.dtype, name=f"block_{level}")
            x = block(x, train=train, groups=groups)
        logits = conv(self.classes, 3, self.dtype, "classifier")(x)
        wide = jnp.promote_types(logits.dtype, jnp.float32)
        spread = None
        if self.variance:
            spread = conv(1, 1, self.dtype, "variance")(x)[..., 0].astype(wide)
        return Outputs(logits.astype(wide), spread)


@dataclasses.dataclass(frozen=True, kw_only=True)
class UNet:
    """The network as pure functions of `variables = {"params": ..., "batch_stats": ...}`.

    Both collections hold `encoder` and `decoders`; every leaf of `decoders` has a leading axis
    of `1 + auxiliary` members, the main decoder first.

    Attributes:
      channels: channels of the input images.
      classes: segmentation classes, background included.
      auxiliary: number D of auxiliary decoders. Their perturbations are, in turn, feature noise,
        dropout, feature dropout; the fourth, unpublished, starts over with feature noise.
      widths: encoder channels per level.
      rates: encoder dropout per level.
      noise_limit: feature noise is U(-limit, limit).
      dropout_rate: of the second perturbation.
      feature_dropout_range: threshold range of the third.
      variance: whether the decoders have a variance head.
      execution: how the decoders run, with the same numbers up to rounding: "unrolled", one after
        another; "vmapped", with their convolutions one after another; or "grouped", vmapped with
        grouped convolutions, which XLA executes badly on CPUs and gathers over devices.
      dtype: compute type; parameters, statistics and logits stay float32 or wider.
    """

    channels: int
    classes: int
    auxiliary: int
    widths: tuple[int, ...]
    rates: tuple[float, ...]
    noise_limit: float
    dropout_rate: float
    feature_dropout_range: tuple[float, float]
    variance: bool = False
    execution: str = "unrolled"
    dtype: Any = None

    @property
    def encoder(self) -> Encoder:
        """The shared encoder."""
        return Encoder(self.widths, self.rates, self.dtype)

    @property
    def decoder(self) -> Decoder:
        """One decoder; the ensemble is this module on each slice of its variables."""
        grouped = self.execution == "grouped"
        return Decoder(self.widths, self.classes, self.variance, grouped, self.dtype)

    @property
    def stride(self) -> int:
        """Image sides must be multiples of this."""
        return 2 ** (len(self.widths) - 1)

    def shapes(self) -> Tree:
        """Abstract `{"params", "batch_stats"}` of the whole network; nothing is compiled."""
        image = jax.ShapeDtypeStruct((1, self.stride, self.stride, self.channels), jnp.float32)
        key = jax.eval_shape(lambda: jax.random.key(0))
        encoder = jax.eval_shape(lambda k, x: self.encoder.init(k, x, train=False), key, image)
        pyramid = jax.eval_shape(lambda v, x: self.encoder.apply(v, x, train=False), encoder, image)
        decoder = jax.eval_shape(lambda k, z: self.decoder.init(k, z, train=False), key, pyramid)
        members = 1 + self.auxiliary
        stacked = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((members, *leaf.shape), leaf.dtype), decoder
        )
        return {
            collection: {"encoder": encoder[collection], "decoders": stacked[collection]}
            for collection in ("params", "batch_stats")
        }

    def init(self, seed: int) -> Tree:
        """Variables with PyTorch's default initialisation, as numpy arrays."""
        shapes = self.shapes()
        heads = shapes["params"]["decoders"].pop("variance", None)
        variables = initialize.fill(shapes, seed)
        if heads is not None:  # drawn apart: the rest is the network without one
            head_seed = seed + (1 << 64)
            variables["params"]["decoders"]["variance"] = initialize.fill(heads, head_seed)
        return variables

    def train_outputs(
        self, variables: Tree, images: jax.Array, key: jax.Array, *, groups: int = 1
    ) -> tuple[Outputs, Tree]:
        """All heads in training mode.

        Args:
          variables: `{"params", "batch_stats"}`.
          images: `[B * groups, H, W, C]`, normalised; groups interleaved.
          key: for dropout and the perturbations.
          groups: parts of the batch that keep batch statistics and perturbations of their own.

        Returns:
          The outputs and the new `batch_stats`.
        """
        params, stats = variables["params"], variables["batch_stats"]
        dropout_key, perturb_key = jax.random.split(key)
        pyramid, encoder_updates = self.encoder.apply(
            {"params": params["encoder"], "batch_stats": stats["encoder"]},
            images,
            train=True,
            groups=groups,
            rngs={"dropout": dropout_key},
            mutable=["batch_stats"],
        )
        pyramids = self.perturbed(pyramid, perturb_key, groups=groups)

        def decode(p: Tree, s: Tree, z: Pyramid) -> tuple[Outputs, Tree]:
            outputs, updates = self.decoder.apply(
                {"params": p, "batch_stats": s},
                z,
                train=True,
                groups=groups,
                mutable=["batch_stats"],
            )
            return outputs, updates["batch_stats"]

        outputs, decoder_stats = self._each_decoder(
            decode, params["decoders"], stats["decoders"], pyramids
        )
        new_stats = {"encoder": encoder_updates["batch_stats"], "decoders": decoder_stats}
        return outputs, new_stats

    def main_logits(self, variables: Tree, images: jax.Array) -> jax.Array:
        """Logits `[B, H, W, C]` of the main decoder in evaluation mode; no other one runs."""
        return self.all_logits(main_alone(variables), images, None)[0]

    def all_logits(self, variables: Tree, images: jax.Array, key: jax.Array | None) -> jax.Array:
        """Logits `[K, B, H, W, C]` of all heads with running statistics.

        Args:
          variables: `{"params", "batch_stats"}`; without a key, of any number K of decoders.
          images: `[B, H, W, C]`, normalised.
          key: perturbs the auxiliary decoders' features, as the released code does even in
            evaluation; None leaves every decoder on the clean features.
        """
        pyramid = self._encode(variables, images)
        decoders = _part(variables, "decoders")
        if key is None:
            return self._each_decoder(lambda decoder: self._decode(decoder, pyramid), decoders)
        pyramids = self.perturbed(pyramid, key, groups=1)
        return self._each_decoder(self._decode, decoders, pyramids)

    def _each_decoder(self, function: Callable[..., Any], *stacked: Any) -> Any:
        """`jax.vmap(function)(*stacked)` over the decoders, executed as `execution` says."""
        if self.execution != "unrolled":
            return jax.vmap(function)(*stacked)
        members = range(len(jax.tree.leaves(stacked)[0]))
        results = [function(*member(stacked, number)) for number in members]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *results)

    def _encode(self, variables: Tree, images: jax.Array) -> Any:
        return self.encoder.apply(_part(variables, "encoder"), images, train=False)

    def _decode(self, variables: Tree, pyramid: Pyramid) -> Any:
        outputs: Any = self.decoder.apply(variables, pyramid, train=False)
        return outputs.logits

    def perturbed(self, pyramid: Pyramid, key: jax.Array, *, groups: int) -> list[jax.Array]:
        """The pyramid of every decoder, stacked: level l is `[K, B, H_l, W_l, C_l]`."""
        kinds: tuple[Callable[[jax.Array, jax.Array], jax.Array], ...] = (
            lambda k, z: perturb.feature_noise(k, z, limit=self.noise_limit, groups=groups),
            lambda k, z: perturb.dropout(k, z, rate=self.dropout_rate),
            lambda k, z: perturb.feature_dropout(
                k,
                z,
                low=self.feature_dropout_range[0],
                high=self.feature_dropout_range[1],
                groups=groups,
            ),
        )
        stacked = []
        for level, z in enumerate(pyramid):
            level_key = jax.random.fold_in(key, level)
            copies = [z] + [
                kinds[d % len(kinds)](jax.random.fold_in(level_key, d), z)
                for d in range(self.auxiliary)
            ]
            stacked.append(jnp.stack(copies))
        return stacked


def main_alone(variables: Tree) -> Tree:
    """`{"params", "batch_stats"}` of encoder and main decoder, whose leading axis stays."""
    return {
        collection: tree | {"decoders": jax.tree.map(lambda leaf: leaf[:1], tree["decoders"])}
        for collection, tree in variables.items()
    }


def _part(variables: Tree, name: str) -> Tree:
    """The variables of one part of the network, as its module's `apply` takes them."""
    return {collection: tree[name] for collection, tree in variables.items()}


def member(stacked: Any, number: int) -> Any:
    """One member of a tree whose leaves have a leading axis."""
    return jax.tree.map(lambda leaf: leaf[number], stacked)
