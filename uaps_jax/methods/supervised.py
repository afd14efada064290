"""Labeled images alone: the baseline of UAPS's study.

    L = 1/K sum_k 1/2 [CE(f_k(x), y) + Dice(softmax f_k(x), y)]

with K = 1 head on clean features in the study; more heads give UAPS's L_sup.
"""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import jax

from uaps_jax.config import Config, MethodConfig
from uaps_jax.losses import segmentation
from uaps_jax.methods import base
from uaps_jax.trees import Tree

STREAMS = {"labeled": "labeled"}


@dataclasses.dataclass(slots=True, kw_only=True)
class SupervisedConfig(MethodConfig):
    """Labeled images only; nothing to set."""

    name: ClassVar[str] = "supervised"


def objective(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """L_sup of `logits` `[K, B, H, W, C]` and `labels` `[B, H, W]`."""
    return jax.vmap(segmentation.cross_entropy_and_dice, in_axes=(0, None))(logits, labels).mean()


def build(config: Config) -> base.Method:
    """The supervised method on `config`'s network."""
    model = base.build_model(config)

    def loss(
        params: Tree,
        state: Tree,
        views: Tree,
        key: jax.Array,
        step: jax.Array,
        weights: Mapping[str, jax.Array],
    ) -> tuple[jax.Array, tuple[Tree, Tree]]:
        del step, weights
        outputs, stats = base.forward(
            model, params, state["batch_stats"], key, views["labeled"]["image"]
        )
        value = objective(outputs.logits[0], views["labeled"]["mask"])
        return value, (state | {"batch_stats": stats}, {"supervised": value})

    return base.Method(
        streams=STREAMS,
        weights={},
        views=base.weak_views(config, STREAMS),
        loss=loss,
        uncertainty=None,
        probe=None,
        **base.single_network(config, model),
    )
