"""Methods that train two networks of one architecture, vmapped over a leading axis.

Adam is elementwise, so one Adam over the stacked networks is the same as one for each. Unlike two
separate trainings, the networks share the best checkpoint and the plateau schedule, which follow
the default predictor.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import jax

from uaps_jax.config import Config, ConfigError
from uaps_jax.methods import one_network, passes
from uaps_jax.methods.base import Loss, Method, Predictor, PseudoLabels, Views
from uaps_jax.methods.uncertainties import Divergence
from uaps_jax.models import stacked
from uaps_jax.models.interfaces import Outputs
from uaps_jax.models.network import Network, main_variables
from uaps_jax.stream import Stream
from uaps_jax.trees import Tree

NETWORKS = 2


def init(network: Network, seed: int) -> Tree:
    """Variables of both networks, stacked; the first are those of `network.init(seed)`.

    Raises:
      ConfigError: both would start with the same decoder, and stay equal.
    """
    if network.weights is not None and "decoders" in network.weights["params"]:
        raise ConfigError(
            "network.pretrained_parts = 'all': both networks would start with the same decoder and "
            "stay equal; choose 'encoder'"
        )
    return stacked.stack([network.init(seed + (number << 32)) for number in range(NETWORKS)])


def forward(
    network: Network, params: Tree, batch_stats: Tree, key: jax.Array, *batches: jax.Array
) -> tuple[list[Outputs], Tree]:
    """The main decoders of both networks on several batches, in training mode.

    Returns:
      The outputs of every batch, logits `[2, B, H, W, C]`, and the new statistics.
    """

    def one(p: Tree, s: Tree, k: jax.Array) -> tuple[list[Outputs], Tree]:
        outputs, stats = passes.forward(network, p, s, k, *batches)
        return stacked.entry(outputs, 0), stats

    return jax.vmap(stacked.looped(one))(params, batch_stats, jax.random.split(key, NETWORKS))


def both_logits(network: Network, variables: Tree, images: jax.Array) -> jax.Array:
    """Logits `[2, B, H, W, C]` in evaluation mode."""
    return jax.vmap(stacked.looped(lambda v: network.main_logits(v, images)))(
        {"params": variables["params"], "batch_stats": variables["batch_stats"]}
    )


def build(
    config: Config,
    network: Network,
    loss: Loss,
    *,
    predictors: Sequence[str],
    pseudo_labels: Callable[[jax.Array], PseudoLabels],
    hyperparameters: Sequence[str] = (),
    streams: Mapping[str, Stream] | None = None,
    views: Views | None = None,
) -> Method:
    """A method with the stacked params and `batch_stats` of two networks.

    The uncertainty is the mean KL of both predictions to their mean.

    Args:
      config: of the run.
      network: the architecture of both networks.
      loss: of a step.
      predictors: `mean` of both networks' logits, `first`, `second`; the default comes first.
      pseudo_labels: of the logits of both networks, `[2, B, H, W, C]`.
      hyperparameters: as in `one_network.build`.
      streams: likewise.
      views: likewise.
    """
    # Params and state are those of one network, but for the leading axis.
    method = one_network.build(
        config,
        network,
        loss,
        hyperparameters=hyperparameters,
        streams=streams,
        views=views,
        pseudo_labels=lambda variables, images, key, step: pseudo_labels(
            both_logits(network, variables, images)
        ),
    )

    def start(seed: int) -> tuple[Tree, Tree]:
        variables = init(network, seed)
        return variables["params"], {"batch_stats": variables["batch_stats"]}

    def predictor(*numbers: int) -> Predictor:
        def networks(variables: Tree) -> list[Tree]:
            return [main_variables(stacked.entry(variables, number)) for number in numbers]

        main = method.predictors["main"]
        return dataclasses.replace(main, networks=networks, mean_of="logits")

    known = {"mean": predictor(0, 1), "first": predictor(0), "second": predictor(1)}
    return dataclasses.replace(
        method,
        init=start,
        predictors={name: known[name] for name in predictors},
        uncertainty=Divergence(predictor=known["mean"], perturb=False),
    )
