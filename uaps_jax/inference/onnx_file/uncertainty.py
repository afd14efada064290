"""The uncertainty of every pixel, as ONNX nodes."""

from __future__ import annotations

from collections.abc import Sequence

from uaps_jax.config import Config
from uaps_jax.inference.onnx_file import networks
from uaps_jax.inference.onnx_file.graph import Graph
from uaps_jax.methods.uncertainties import DIVERGENCE, ENTROPY, VARIANCE, Divergence, Exportable
from uaps_jax.trees import Tree

DESCRIPTIONS = {
    ENTROPY: "the entropy of the probabilities, in nats",
    DIVERGENCE: "the mean KL divergence of the decoders to their mean, on clean features, in nats",
    VARIANCE: "the predicted variance of the logits, the mean of the networks",
}


def uncertainty(
    graph: Graph,
    config: Config,
    of_method: Exportable | None,
    variables: Tree,
    x: str,
    probabilities: str,
) -> str:
    """The uncertainty `[N, 1, h, w]` of images `x`.

    Args:
      graph: the nodes are added to.
      config: of the run.
      of_method: the uncertainty of the method; None for the entropy.
      variables: of the checkpoint.
      x: name of the normalised images `[N, C, h, w]`.
      probabilities: name of theirs, `[N, C, h, w]`.
    """
    if of_method is None:
        return _entropy(graph, probabilities)
    if isinstance(of_method, Divergence):
        logits = networks.logits(graph, config, of_method.predictor, variables, x)
        return _divergence(graph, logits)
    maps = networks.outputs(
        graph,
        config,
        of_method.network,
        lambda network, images: [of_method.of_network(network, images)],
        of_method.networks(variables),
        x,
    )
    return graph.mean(*maps)


def _entropy(graph: Graph, probabilities: str) -> str:
    """-sum_c p_c log p_c, `[N, C, h, w]` to `[N, 1, h, w]`."""
    terms = graph.add("Mul", probabilities, graph.log_probability(probabilities))
    return graph.add("Neg", graph.sum_over_classes(terms))


def _divergence(graph: Graph, logits: Sequence[str]) -> str:
    """1/K sum_k KL(mean_j p_j || p_k), `[N, C, h, w]` each to `[N, 1, h, w]`."""
    log_p = [graph.log_softmax(one) for one in logits]
    mean = graph.mean(*(graph.add("Exp", one) for one in log_p))
    difference = graph.add("Sub", graph.log_probability(mean), graph.mean(*log_p))
    return graph.sum_over_classes(graph.add("Mul", mean, difference))
