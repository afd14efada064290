"""A network: an encoder, stacked decoders and extra heads, as pure functions.

The encoder runs once. Decoder 0, the main decoder, reads its pyramid; each auxiliary decoder reads
a perturbed copy of it (CCT, Ouali et al. 2020; UAPS, Sec. 3). All decoders have one architecture;
their variables are one tree with a leading axis. Extra heads, such as a predicted variance, read
the features of every decoder or of the encoder (`models/heads.py`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from uaps_jax.config import Head
from uaps_jax.models import heads as head_lib
from uaps_jax.models import initialize, stacked
from uaps_jax.models.freezing import NOTHING, Freezing
from uaps_jax.models.interfaces import Change, Outputs, Pyramid
from uaps_jax.models.perturb import Perturbation
from uaps_jax.trees import Tree

COLLECTIONS = ("params", "batch_stats")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """The network as pure functions of `variables = {"params": ..., "batch_stats": ...}`.

    `params` has the entries `encoder`, `decoders` and, if there are extra heads, `heads`; so has
    `batch_stats`, with the heads that have batch normalisations. Every leaf of `decoders` has a
    leading axis of K = 1 + `auxiliary`, every leaf of `heads` one of K, or of 1 for a head that
    reads the encoder.

    Attributes:
      encoder: a module that fulfils `Encoder`.
      decoder: a module that fulfils `Decoder`; each decoder is this module with its own variables.
      channels: of the input images.
      classes: segmentation classes, background included.
      stride: image sides must be multiples of this.
      auxiliary: number of auxiliary decoders.
      perturbations: of the auxiliary decoders' pyramids, repeated if there are more decoders.
      heads: extra heads, by name.
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
    heads: Mapping[str, Head]
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
            params, stats = head_lib.shapes(
                self.heads, pyramid, decoded, 1 + self.auxiliary, self.dtype
            )
            tree["params"]["heads"] = params
            if stats:
                tree["batch_stats"]["heads"] = stats
        return tree

    def init(self, seed: int) -> Tree:
        """Variables before training, as numpy arrays; the decoders have PyTorch's default values.

        The other variables are the same with and without extra heads, and with and without
        `weights`.
        """
        shapes = self.shapes()
        heads = {collection: shapes[collection].pop("heads", {}) for collection in COLLECTIONS}
        draws = {"encoder": self.initialize_encoder}
        variables = initialize.fill(shapes, seed, draws)
        if self.weights is not None:
            for collection in COLLECTIONS:
                variables[collection] |= self.weights[collection]
        for collection, of_heads in heads.items():
            if of_heads:
                variables[collection]["heads"] = {
                    name: initialize.fill(of_heads[name], seed + (number << 64))
                    for number, name in enumerate(self.heads, start=1)
                    if name in of_heads
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

        heads, head_variables = head_lib.selected(self.heads, variables, on_encoder=False)

        def decode(
            p: Tree, s: Tree, of_heads: Tree, z: Pyramid, key: jax.Array, head_key: jax.Array
        ) -> tuple[Outputs, Tree, Tree]:
            decoded, updates = self.decoder.apply(
                {"params": p, "batch_stats": s},
                z,
                train=True,
                parts=parts,
                rngs={"dropout": key},
                mutable=["batch_stats"],
            )
            outputs, of_heads = head_lib.run_on_decoder(
                heads, decoded, of_heads, self.dtype, head_key, parts
            )
            return outputs, updates.get("batch_stats", {}), of_heads

        decoder_keys, head_keys = (
            jax.random.split(jax.random.fold_in(key, use), 1 + self.auxiliary) for use in (3, 4)
        )
        outputs, decoder_stats, head_stats = jax.vmap(stacked.looped(decode))(
            params["decoders"],
            stats["decoders"],
            head_variables,
            pyramids,
            decoder_keys,
            head_keys,
        )
        extra, extra_stats = head_lib.run_on_encoder(
            self.heads, pyramid, variables, self.dtype, jax.random.fold_in(key, 5), parts
        )
        new = {"encoder": encoder_updates.get("batch_stats", {}), "decoders": decoder_stats}
        if head_stats or extra_stats:
            new["heads"] = head_stats | extra_stats
        return Outputs(outputs.logits, outputs.heads | extra), new

    def pyramid(self, variables: Tree, images: jax.Array) -> Pyramid:
        """The encoder's feature maps in evaluation mode, `[B, h, w, F]`, the coarsest last.

        Args:
          variables: `{"params", "batch_stats"}`.
          images: `[B, H, W, C]`, normalised.
        """
        found: Any = self.encoder.apply(_part(variables, "encoder"), images, train=False)
        pyramid: Pyramid = found
        return pyramid

    def outputs(self, variables: Tree, images: jax.Array) -> Outputs:
        """The outputs of all decoders and heads in evaluation mode, on clean features.

        Args:
          variables: `{"params", "batch_stats"}`.
          images: `[B, H, W, C]`, normalised.
        """
        pyramid = self.pyramid(variables, images)
        heads, head_variables = head_lib.selected(self.heads, variables, on_encoder=False)

        def decode(decoder: Tree, of_heads: Tree, z: Pyramid) -> Outputs:
            decoded: Any = self.decoder.apply(decoder, z, train=False)
            return head_lib.run_on_decoder(heads, decoded, of_heads, self.dtype)[0]

        decoders = _part(variables, "decoders")
        outputs: Outputs = jax.vmap(stacked.looped(decode), in_axes=(0, 0, None))(
            decoders, head_variables, pyramid
        )
        extra, _ = head_lib.run_on_encoder(self.heads, pyramid, variables, self.dtype)
        return Outputs(outputs.logits, outputs.heads | extra)

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
        pyramid = self.pyramid(variables, images)

        def decode(decoder: Tree, z: Pyramid) -> jax.Array:
            decoded: Any = self.decoder.apply(decoder, z, train=False)
            return head_lib.wide(decoded.logits)

        decoders = _part(variables, "decoders")
        if key is None:
            return jax.vmap(stacked.looped(decode), in_axes=(0, None))(decoders, pyramid)
        return jax.vmap(stacked.looped(decode))(decoders, self.perturbed(pyramid, key, parts=1))

    def separate_logits(self, variables: Tree, images: jax.Array) -> list[jax.Array]:
        """`all_logits` on clean features, one `[B, H, W, C]` per decoder: for exporters."""
        without_heads = {
            collection: {name: part for name, part in tree.items() if name != "heads"}
            for collection, tree in variables.items()
        }
        return [outputs.logits for outputs in self.separate_outputs(without_heads, images)]

    def separate_outputs(self, variables: Tree, images: jax.Array) -> list[Outputs]:
        """The outputs of each decoder on clean features, with those of the heads that read it.

        Heads that read the encoder are not computed. Logits are `[B, H, W, C]`.

        Args:
          variables: `{"params", "batch_stats"}`; where those of a head are missing, so is its
            output.
          images: `[B, H, W, C]`, normalised.
        """
        pyramid = self.pyramid(variables, images)
        heads, of_heads = head_lib.selected(self.heads, variables, on_encoder=False)
        given = {name: head for name, head in heads.items() if name in of_heads["params"]}
        decoders = _part(variables, "decoders")
        found = []
        for number in range(len(jax.tree.leaves(decoders)[0])):
            decoder, own = stacked.entry((decoders, of_heads), number)
            decoded: Any = self.decoder.apply(decoder, pyramid, train=False)
            found.append(head_lib.run_on_decoder(given, decoded, own, self.dtype)[0])
        return found

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


def main_variables(variables: Tree) -> Tree:
    """The variables of encoder and main decoder, without extra heads; the decoder axis stays."""
    return {
        collection: {
            "encoder": tree["encoder"],
            "decoders": jax.tree.map(lambda leaf: leaf[:1], tree["decoders"]),
        }
        for collection, tree in variables.items()
    }


def _part(variables: Tree, name: str) -> Tree:
    """The variables of the encoder or the decoders, for the `apply` of a module."""
    return {collection: variables[collection][name] for collection in COLLECTIONS}


def _abstract(module: nn.Module, key: Any, inputs: Any) -> tuple[Tree, Any]:
    """Shapes of the variables and the outputs of a module."""

    def run(k: jax.Array, x: Any) -> tuple[Any, Any]:
        return module.init_with_output(k, x, train=False)[::-1]

    variables, outputs = jax.eval_shape(run, key, inputs)
    return {"batch_stats": {}, **variables}, outputs
