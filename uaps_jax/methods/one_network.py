"""Methods that train one network, with one decoder or several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import jax

from uaps_jax.config import Config, RampedConfig
from uaps_jax.methods import views as view_lib
from uaps_jax.methods.base import (
    FindPseudoLabels,
    Loss,
    Method,
    Predictor,
    PseudoLabels,
    Views,
    labeled_stream,
    unlabeled_stream,
)
from uaps_jax.methods.uncertainties import Divergence
from uaps_jax.models.network import Network, main_variables
from uaps_jax.stream import Stream
from uaps_jax.trees import Tree


def both_streams(config: Config) -> dict[str, Stream]:
    return {"labeled": labeled_stream(config), "unlabeled": unlabeled_stream(config)}


def of_logits(network: Network, find: Callable[[jax.Array], PseudoLabels]) -> FindPseudoLabels:
    """Pseudo-labels of the logits `[K, B, H, W, C]` of all decoders, on perturbed features."""
    return lambda variables, images, key, step: find(network.all_logits(variables, images, key))


def build(
    config: Config,
    network: Network,
    loss: Loss,
    *,
    hyperparameters: Sequence[str] = (),
    streams: Mapping[str, Stream] | None = None,
    views: Views | None = None,
    pseudo_labels: FindPseudoLabels | None = None,
    divergence: Literal["clean", "perturbed"] | None = None,
) -> Method:
    """A method with the params of one network and the state `batch_stats`.

    Predictors: `main`, the main decoder, and, if there are auxiliary decoders, `ensemble`, the mean
    probability of all decoders on clean features.

    Args:
      config: of the run.
      network: to train.
      loss: of a step.
      hyperparameters: settings of the method that the loss takes traced; those of a ramp are added,
        and `steps`, the length of the run.
      streams: `both_streams` if None.
      views: a weak view of each stream if None.
      pseudo_labels: as in `Method`, but of normalised images.
      divergence: the features on which the decoders are compared for the uncertainty; None for the
        entropy of the prediction.
    """
    streams = both_streams(config) if streams is None else streams
    ramp = ("ramp_interval", "ramp_length") if isinstance(config.method, RampedConfig) else ()
    traced = {name: getattr(config.method, name) for name in (*hyperparameters, *ramp)}
    normalize = view_lib.normalizer(config)

    def init(seed: int) -> tuple[Tree, Tree]:
        variables = network.init(seed)
        return variables["params"], {"batch_stats": variables["batch_stats"]}

    def predictor(networks: Callable[[Tree], Sequence[Tree]]) -> Predictor:
        return Predictor(network=network, normalize=normalize, networks=networks)

    predictors = {"main": predictor(lambda variables: [main_variables(variables)])}
    if network.auxiliary:
        predictors["ensemble"] = predictor(lambda variables: [variables])
    uncertainty = None
    if divergence is not None:
        uncertainty = Divergence(
            predictor=predictors["ensemble"], perturb=divergence == "perturbed"
        )
    return Method(
        streams=streams,
        hyperparameters=traced | {"steps": config.train.steps},
        init=init,
        views=views or view_lib.weak_views(config, streams),
        loss=loss,
        variables=lambda params, state: {"params": params, "batch_stats": state["batch_stats"]},
        predictors=predictors,
        parameter_groups=network.parameter_groups,
        pseudo_labels=normalized(normalize, pseudo_labels),
        uncertainty=uncertainty,
    )


def normalized(normalize: Callable[[jax.Array], jax.Array], function: Any) -> Any:
    """`function(variables, images, ...)` for images on the 0..255 scale; None if it is None."""
    if function is None:
        return None
    return lambda variables, images, *rest: function(variables, normalize(images), *rest)
