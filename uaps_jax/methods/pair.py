"""Two networks of one architecture that teach each other, vmapped over a leading axis.

One Adam over the stacked pair is two of them, because it works number by number. What is given up
against two separate trainings is a best checkpoint for each, and a plateau schedule for each: both
follow the pair's default predictor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from uaps_jax.config import Config
from uaps_jax.losses import uncertainty
from uaps_jax.methods import base
from uaps_jax.models.unet import Outputs, UNet, main_alone, member
from uaps_jax.trees import Tree

MEMBERS = 2


def init(model: UNet, seed: int) -> Tree:
    """Variables of both networks, stacked; the first is the one that `model.init(seed)` gives."""
    networks = [model.init(seed + (member << 32)) for member in range(MEMBERS)]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *networks)


def forward(
    model: UNet, params: Tree, batch_stats: Tree, key: jax.Array, *batches: jax.Array
) -> tuple[Outputs, Tree]:
    """The main heads of both networks on several batches, in training mode.

    Returns:
      The outputs with the batches in front, logits `[G, 2, B, H, W, C]`, and the new statistics.
    """
    keys = jax.random.split(key, MEMBERS)

    def one(p: Tree, s: Tree, k: jax.Array) -> tuple[Outputs, Tree]:
        outputs, stats = base.forward(model, p, s, k, *batches)
        return jax.tree.map(lambda heads: heads[:, 0], outputs), stats

    outputs, stats = jax.vmap(one)(params, batch_stats, keys)
    return jax.tree.map(lambda x: x.swapaxes(0, 1), outputs), stats


def both_logits(model: UNet, variables: Tree, images: jax.Array) -> jax.Array:
    """Logits `[2, B, H, W, C]` in evaluation mode."""
    return jax.vmap(lambda v: model.main_logits(v, images))(
        {"params": variables["params"], "batch_stats": variables["batch_stats"]}
    )


def network_pair(config: Config, model: UNet, predictors: Sequence[str]) -> dict[str, Any]:
    """The fields of a `Method` that trains two networks.

    Predictors: `mean` of both networks' logits, `first`, `second`; the first one named is the
    default. The uncertainty is the mean KL of the two to their mean.
    """
    normalize = base.normalizer(config)

    def start(seed: int) -> tuple[Tree, Tree]:
        variables = init(model, seed)
        return variables["params"], {"batch_stats": variables["batch_stats"]}

    def predictor(*members: int) -> base.Predictor:
        def networks(variables: Tree) -> list[Tree]:
            return [main_alone(member(variables, number)) for number in members]

        return base.Predictor(model=model, normalize=normalize, networks=networks, mean_of="logits")

    def doubt(variables: Tree, images: jax.Array, key: jax.Array) -> jax.Array:
        del key
        return uncertainty.kl_to_mean(both_logits(model, variables, normalize(images))).mean(0)

    known = {"mean": predictor(0, 1), "first": predictor(0), "second": predictor(1)}
    return {
        "init": start,
        "after_update": lambda params, state, step: state,
        "variables": lambda params, state: {"params": params, "batch_stats": state["batch_stats"]},
        "predictors": {name: known[name] for name in predictors},
        "uncertainty": doubt,
        "averaged": None,
    }
