"""Cross-consistency training (Ouali et al. 2020), as UAPS's study computes it.

UAPS's network, one clean and D perturbed decoders, dropout rate 0.3:

    L   = 1/K sum_k 1/2 [CE(f_k(x), y) + Dice(p_k(x), y)] + w(t) L_c
    L_c = 1/D sum_{k > 1} mean (p_1(u) - p_k(u))^2

Gradients flow into both sides.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import jax

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.losses import consistency
from uaps_jax.methods import base, supervised
from uaps_jax.trees import Tree

STREAMS = {"labeled": "labeled", "unlabeled": "unlabeled"}


@dataclass(slots=True, kw_only=True)
class CctConfig(c.RampedConfig):
    """CCT."""

    name: ClassVar[str] = "cct"
    ramp_share: ClassVar[float] = 0.85  # 30,000 of 35,341 steps

    weight: float = field(metadata=c.at_least(0))  # w, weight of the consistency term

    def problems(self, config: Config) -> Iterator[str]:
        """What is wrong with these settings, a line each."""
        yield from c.check(
            config, "network.auxiliary", config.network.auxiliary >= 1, "CCT needs at least 1"
        )
        yield from c.paired_batches(config)


def objective(
    labeled_logits: jax.Array, unlabeled_logits: jax.Array, labels: jax.Array, weight: jax.Array
) -> tuple[jax.Array, Tree]:
    """The loss of one step from logits `[K, B, H, W, C]` and labels `[B, H, W]`.

    Returns:
      The total and its parts by name.
    """
    l_sup = supervised.objective(labeled_logits, labels)
    p = jax.nn.softmax(unlabeled_logits)
    l_c = consistency.mean_squared(p[:1], p[1:])
    return l_sup + weight * l_c, {"supervised": l_sup, "consistency": l_c}


def build(config: Config) -> base.Method:
    """CCT on `config`'s network."""
    options = config.method
    assert isinstance(options, CctConfig)
    model = base.build_model(config)
    normalize = base.normalizer(config)

    def loss(
        params: Tree,
        state: Tree,
        views: Tree,
        key: jax.Array,
        step: jax.Array,
        weights: Mapping[str, jax.Array],
    ) -> tuple[jax.Array, tuple[Tree, Tree]]:
        images = (views[stream]["image"] for stream in STREAMS)
        outputs, stats = base.forward(model, params, state["batch_stats"], key, *images)
        labeled, unlabeled = outputs.logits
        ramp = base.ramp(step, weights)
        value, parts = objective(
            labeled, unlabeled, views["labeled"]["mask"], weights["consistency"] * ramp
        )
        return value, (state | {"batch_stats": stats}, parts | {"ramp": ramp})

    def probe(variables: Tree, images: jax.Array, key: jax.Array, step: jax.Array) -> base.Probe:
        logits = model.all_logits(variables, normalize(images), key)
        return base.hard_probe(logits[0], jax.nn.softmax(logits[1:]).mean(0))

    return base.Method(
        streams=STREAMS,
        weights={"consistency": options.weight, **base.ramp_weights(options)},
        views=base.weak_views(config, STREAMS),
        loss=loss,
        uncertainty=base.heads_uncertainty(config, model, perturb=True),
        probe=probe,
        **base.single_network(config, model),
    )
