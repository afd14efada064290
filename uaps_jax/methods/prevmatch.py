"""PrevMatch (Shin et al. 2024): `unimatch_v1` with pseudo-labels of earlier networks besides.

Snapshots of the network are kept at fixed intervals. At each step k ~ U{1, 2, 3} of them are drawn,
and weights beta ~ Dirichlet(1, ..., 1):

    q'    = softmax sum_j beta_j f_j(w),     y' = argmax_c q'_c,     m' = [max_c q'_c >= tau']
    L     = [L_x + lambda r(t) L_u(y_hat, m) + lambda'(t) L_u(y', m')] / (2 + lambda'(t))

L_x is the labeled loss and L_u the sum of the unlabeled terms of `unimatch_v1`. lambda'(t) rises
linearly from 0 to lambda' over half of the steps and falls back to 0; it is 0 while there is no
snapshot. The snapshots f_j are in evaluation mode. Published: one is made when the validation score
improves; tau' = 0.9, eight snapshots, lambda = 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.losses import ramps
from uaps_jax.methods import snapshots, supervised, unimatch_v1
from uaps_jax.methods.base import Inputs, Method, Result
from uaps_jax.methods.loss import Seen, Term
from uaps_jax.methods.unimatch_v1 import build_with, target_of, terms
from uaps_jax.models.network import Network
from uaps_jax.trees import Tree

INTERVAL_SHARE = 1 / 16
"""Of the steps, from one snapshot to the next, in a shortened run."""


@dataclass(slots=True, kw_only=True)
class PrevmatchConfig(unimatch_v1.UnimatchV1Config):
    name: ClassVar[str] = "prevmatch"

    weight_previous: float = field(metadata=c.at_least(0))  # the largest lambda'
    threshold_previous: float = field(metadata=c.probability())  # tau'
    snapshots: int = field(metadata=c.at_least(snapshots.MOST))  # that are kept
    snapshot_interval: int = field(metadata=c.at_least(1))  # steps from one to the next

    def scale_ramps(self, steps: int, share: float) -> None:
        c.RampedConfig.scale_ramps(self, steps, share)
        self.snapshot_interval = max(1, round(INTERVAL_SHARE * steps))


def build(config: Config, network: Network, options: PrevmatchConfig) -> Method:
    interval, count = options.snapshot_interval, options.snapshots

    def prepare(views: Tree, inputs: Inputs, keys: Sequence[jax.Array]) -> Tree:
        """Adds the mixed logits of earlier networks on the weak view, `[B, H, W, C]`."""
        available = snapshots.stored(inputs.step, interval, count)
        rows, weights = snapshots.draw(keys[0], available, count)
        logits = [
            network.main_logits(snapshots.take(inputs.memory, row, network), views["weak"]["image"])
            for row in rows
        ]
        mixed = jnp.tensordot(weights, jnp.stack(logits), 1)
        return views | {"previous": {"logits": mixed, "has": available > 0}}

    def objective(seen: Seen) -> Term:
        given, previous = seen.hyperparameters, seen.views["previous"]
        target = target_of(seen.logits("weak")[0], given["threshold"])
        earlier = target_of(previous["logits"], given["threshold_previous"])
        l_sup = supervised.objective(seen.logits("labeled"), seen.labels)
        l_s, l_fp = terms(seen, target, options.unlabeled_loss)
        l_s_earlier, l_fp_earlier = terms(seen, earlier, options.unlabeled_loss)
        l_previous = 0.5 * (l_s_earlier + l_fp_earlier)
        ramp = ramps.triangle(seen.step, given["steps"])
        weight = jnp.where(previous["has"], given["weight_previous"] * ramp, 0.0)
        unlabeled = seen.ramped("weight") * 0.5 * (l_s + l_fp)
        total = (l_sup + unlabeled + weight * l_previous) / (2 + weight)
        parts = {"supervised": l_sup, "pseudo": l_s, "features": l_fp, "previous": l_previous}
        kept = {"kept": target.weight.mean(), "kept_previous": earlier.weight.mean()}
        return Term(total, parts | kept)

    method = build_with(
        config,
        network,
        options,
        objective,
        hyperparameters=("weight_previous", "threshold_previous"),
        extra_keys=1,
        prepare=prepare,
    )

    def loss(inputs: Inputs) -> Result:
        variables = {"params": inputs.params, "batch_stats": inputs.state["batch_stats"]}
        written = snapshots.writes(variables, inputs.step, interval, count)
        return method.loss(inputs)._replace(writes=written)

    return replace(method, loss=loss, memory=lambda: snapshots.memory(network, count))
