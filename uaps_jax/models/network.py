"""A network: an encoder, stacked decoders and extra heads, as pure functions.

The encoder runs once. Decoder 0, the main decoder, reads its pyramid; each auxiliary decoder reads
a perturbed copy of it (CCT, Ouali et al. 2020; UAPS, Sec. 3). All decoders have one architecture;
their variables are one tree with a leading axis. An extra head is a 1x1 convolution beside the
output layer of every decoder, for example a predicted variance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp

from uaps_jax.models import initialize, layers, stacked
from uaps_jax.models.freezing import NOTHING, Freezing
from uaps_jax.models.perturb import Perturbation
from uaps_jax.trees import Tree

Pyramid = Sequence[jax.Array]
COLLECTIONS = ("params", "batch_stats")

Change = Callable[[jax.Array, Pyramid], Pyramid]
"""`(key, pyramid)` to a changed pyramid of the encoder, for all decoders."""


class Encoder(Protocol):
    """The call of an encoder, a `flax.linen.Module`; it may use the rng "dropout"."""

    def __call__(self, images: jax.Array, *, train: bool, parts: int = 1) -> Pyramid:
        """Images `[B * parts, H, W, C]` to feature maps, from the finest to the coarsest."""


class Decoded(NamedTuple):
    """The output of a decoder.

    Attributes:
      logits: `[B, H, W, classes]`, of the size of the images.
      features: `[B, h, w, F]`, the input of the extra heads; h and w may be smaller than H and W.
    """

    logits: jax.Array
    features: jax.Array


class Decoder(Protocol):
    """The call of a decoder, a `flax.linen.Module`; it may use the rng "dropout"."""

    def __call__(self, pyramid: Pyramid, *, train: bool, parts: int = 1) -> Decoded:
        """The pyramid of an encoder to logits and features."""


class Outputs(NamedTuple):
    """The outputs of a network, float32 or wider.

    Attributes:
      logits: `[K, B, H, W, C]`, the main decoder first.
      heads: name of an extra head -> `[K, B, h, w, channels]`, of the size of the features.
    """

    logits: jax.Array
    heads: dict[str, jax.Array]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """The network as pure functions of `variables = {"params": ..., "batch_stats": ...}`.

    `params` has the entries `encoder`, `decoders` and, if there are extra heads, `heads`;
    `batch_stats` has the first two. Every leaf of `decoders` and `heads` has a leading axis of
    K = 1 + `auxiliary`.

    Attributes:
      encoder: a module that fulfils `Encoder`.
      decoder: a module that fulfils `Decoder`; each decoder is this module with its own variables.
      channels: of the input images.
      classes: segmentation classes, background included.
      stride: image sides must be multiples of this.
      auxiliary: number of auxiliary decoders.
      perturbations: of the auxiliary decoders' pyramids, repeated if there are more decoders.
      heads: name of an extra head -> its channels.
      dtype: compute type; parameters, statistics and outputs stay float32 or wider.
      initialize_encoder: how the kernels of the encoder are drawn.
      freezing: what of the encoder is not trained.
      weights: variables of the encoder, or of encoder and decoders, in place of drawn ones.
    """

    encoder: nn.Module
    decoder: nn.Module
    channels: int
    classes: int
    stride: int
    auxiliary: int
    perturbations: Sequence[Perturbation]
    heads: Mapping[str, int]
    dtype: Any = None
    initialize_encoder: initialize.Draw = initialize.uniform
    freezing: Freezing = NOTHING
    weights: Tree | None = None

    def shapes(self) -> Tree:
        """`jax.ShapeDtypeStruct` of all variables; nothing is compiled."""
        image = jax.ShapeDtypeStruct((1, self.stride, self.stride, self.channels), jnp.float32)
        key = jax.eval_shape(lambda: jax.random.key(0))
        encoder, pyramid = _abstract(self.encoder, key, image)
        decoder, decoded = _abstract(self.decoder, key, pyramid)
        tree: Tree = {
            collection: {
                "encoder": encoder[collection],
                "decoders": stacked.shapes(decoder[collection], 1 + self.auxiliary),
            }
            for collection in COLLECTIONS
        }
        if self.heads:
            tree["params"]["heads"] = {
                name: stacked.shapes(
                    _abstract(self._head(name), key, decoded.features)[0]["params"],
                    1 + self.auxiliary,
                )
                for name in self.heads
            }
        return tree

    def init(self, seed: int) -> Tree:
        """Variables before training, as numpy arrays; the decoders have PyTorch's default values.

        The other variables are the same with and without extra heads, and with and without
        `weights`.
        """
        shapes = self.shapes()
        heads = shapes["params"].pop("heads", {})
        draws = {"encoder": self.initialize_encoder}
        variables = initialize.fill(shapes, seed, draws)
        if self.weights is not None:
            for collection in COLLECTIONS:
                variables[collection] |= self.weights[collection]
        if heads:
            variables["params"]["heads"] = {
                name: initialize.fill(heads[name], seed + (number << 64))
                for number, name in enumerate(self.heads, start=1)
            }
        return variables

    def train_outputs(
        self,
        variables: Tree,
        images: jax.Array,
        key: jax.Array,
        *,
        parts: int = 1,
        change: Change | None = None,
    ) -> tuple[Outputs, Tree]:
        """The outputs of all decoders in training mode, and the new `batch_stats`.

        Args:
          variables: `{"params", "batch_stats"}`.
          images: `[B * parts, H, W, C]`, normalised; parts interleaved.
          key: for dropout and the perturbations.
          parts: number of batch parts; each has its own batch statistics and perturbations.
          change: of the encoder's pyramid, before the decoders' perturbations.
        """
        params, stats = variables["params"], variables["batch_stats"]
        dropout_key, perturb_key = jax.random.split(key)
        pyramid, encoder_updates = self.encoder.apply(
            {"params": params["encoder"], "batch_stats": stats["encoder"]},
            images,
            train=True,
            parts=parts,
            rngs={"dropout": dropout_key},
            mutable=["batch_stats"],
        )
        if change is not None:
            # `split` made the keys 0 and 1.
            pyramid = change(jax.random.fold_in(key, 2), pyramid)
        pyramids = self.perturbed(pyramid, perturb_key, parts=parts)

        def decode(
            p: Tree, s: Tree, heads: Tree, z: Pyramid, key: jax.Array
        ) -> tuple[Outputs, Tree]:
            decoded, updates = self.decoder.apply(
                {"params": p, "batch_stats": s},
                z,
                train=True,
                parts=parts,
                rngs={"dropout": key},
                mutable=["batch_stats"],
            )
            return self._outputs(decoded, heads), updates.get("batch_stats", {})

        heads = params.get("heads", {})
        decoder_keys = jax.random.split(jax.random.fold_in(key, 3), 1 + self.auxiliary)
        outputs, decoder_stats = jax.vmap(stacked.looped(decode))(
            params["decoders"], stats["decoders"], heads, pyramids, decoder_keys
        )
        encoder_stats = encoder_updates.get("batch_stats", {})
        return outputs, {"encoder": encoder_stats, "decoders": decoder_stats}

    def main_logits(self, variables: Tree, images: jax.Array) -> jax.Array:
        """Logits `[B, H, W, C]` of the main decoder in evaluation mode; no other decoder runs."""
        return self.all_logits(main_variables(variables), images, None)[0]

    def all_logits(self, variables: Tree, images: jax.Array, key: jax.Array | None) -> jax.Array:
        """Logits `[K, B, H, W, C]` of all decoders with running statistics.

        Args:
          variables: `{"params", "batch_stats"}`; without a key, K may be any number.
          images: `[B, H, W, C]`, normalised.
          key: for perturbed features of the auxiliary decoders, which the released code uses even
            in evaluation; None for clean features.
        """
        pyramid: Any = self.encoder.apply(_part(variables, "encoder"), images, train=False)

        def decode(decoder: Tree, z: Pyramid) -> jax.Array:
            decoded: Any = self.decoder.apply(decoder, z, train=False)
            return _wide(decoded.logits)

        decoders = _part(variables, "decoders")
        if key is None:
            return jax.vmap(stacked.looped(decode), in_axes=(0, None))(decoders, pyramid)
        return jax.vmap(stacked.looped(decode))(decoders, self.perturbed(pyramid, key, parts=1))

    def separate_logits(self, variables: Tree, images: jax.Array) -> list[jax.Array]:
        """`all_logits` on clean features, one `[B, H, W, C]` per decoder: for exporters."""
        pyramid = self.encoder.apply(_part(variables, "encoder"), images, train=False)
        decoders = _part(variables, "decoders")
        decoded: list[Any] = [
            self.decoder.apply(stacked.entry(decoders, number), pyramid, train=False)
            for number in range(len(jax.tree.leaves(decoders)[0]))
        ]
        return [_wide(one.logits) for one in decoded]

    def parameter_groups(self, params: Tree) -> Tree:
        """`params` with the name of its group in place of each array.

        The groups are "encoder", "decoders", "heads" and "frozen".
        """
        groups: Tree = {
            group: jax.tree.map(lambda _, group=group: group, tree)
            for group, tree in params.items()
        }
        if self.freezing.levels:
            groups["encoder"] = self.freezing.groups(params["encoder"], "encoder")
        return groups

    def perturbed(self, pyramid: Pyramid, key: jax.Array, *, parts: int) -> list[jax.Array]:
        """The pyramid of every decoder, stacked: level l is `[K, B, H_l, W_l, C_l]`."""
        levels = []
        for level, z in enumerate(pyramid):
            level_key = jax.random.fold_in(key, level)
            copies = [z]
            for number in range(self.auxiliary):
                perturb = self.perturbations[number % len(self.perturbations)]
                copies.append(perturb(jax.random.fold_in(level_key, number), z, parts))
            levels.append(jnp.stack(copies))
        return levels

    def _outputs(self, decoded: Decoded, heads: Tree) -> Outputs:
        extra: dict[str, Any] = {
            name: self._head(name).apply({"params": params}, decoded.features)
            for name, params in heads.items()
        }
        return Outputs(_wide(decoded.logits), {name: _wide(x) for name, x in extra.items()})

    def _head(self, name: str) -> nn.Module:
        return layers.conv(self.heads[name], 1, self.dtype, name)


def main_variables(variables: Tree) -> Tree:
    """The variables of encoder and main decoder, without extra heads; the decoder axis stays."""
    return {
        collection: {
            "encoder": tree["encoder"],
            "decoders": jax.tree.map(lambda leaf: leaf[:1], tree["decoders"]),
        }
        for collection, tree in variables.items()
    }


def _wide(x: jax.Array) -> jax.Array:
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _part(variables: Tree, name: str) -> Tree:
    """The variables of the encoder or the decoders, for the `apply` of a module."""
    return {collection: variables[collection][name] for collection in COLLECTIONS}


def _abstract(module: nn.Module, key: Any, inputs: Any) -> tuple[Tree, Any]:
    """Shapes of the variables and the outputs of a module."""
    options: dict[str, Any] = {} if isinstance(module, nn.Conv) else {"train": False}

    def run(k: jax.Array, x: Any) -> tuple[Any, Any]:
        return module.init_with_output(k, x, **options)[::-1]

    variables, outputs = jax.eval_shape(run, key, inputs)
    return {"batch_stats": {}, **variables}, outputs
