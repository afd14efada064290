"""DCT as UAPS's study implements it: consistency under quarter turns (not adversarial co-training).

    k  ~ U{0, 1, 2, 3}, once a step
    L  = 1/2 [CE(f(x), y) + Dice(softmax f(x), y)] + w(t) L_c
    L_c = mean (softmax f(rot90^k u) - rot90^k softmax f(u))^2

Released: gradients through both sides. `detach=True` is the form of SSL4MIS: half the sum of both
directions, each with a fixed target.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import jax

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.losses import consistency, segmentation
from uaps_jax.methods import one_network
from uaps_jax.methods.base import Inputs, Method, PseudoLabels, all_kept
from uaps_jax.methods.loss import Seen, Term, one_objective, show
from uaps_jax.models.network import Network
from uaps_jax.transforms import geometric
from uaps_jax.trees import Tree

SEEN = ("labeled", "unlabeled", "turned")


@dataclass(slots=True, kw_only=True)
class DctConfig(c.RampedConfig):
    name: ClassVar[str] = "dct"
    ramp_share: ClassVar[float] = 0.85  # 30,000 of 35,341 steps
    auxiliary: ClassVar[tuple[float, float]] = (0, 0)

    weight: float = field(metadata=c.at_least(0))  # w, weight of the consistency term
    detach: bool  # each side is a fixed target of the other (released: False)

    def problems(self, config: Config) -> Iterator[str]:
        yield from c.RampedConfig.problems(self, config)
        height, width = config.views.unlabeled.size(config.data)
        yield from c.check(
            config, "data.width", width == height, "DCT's quarter turns need square views"
        )


def objective(
    labeled_logits: jax.Array,
    labels: jax.Array,
    plain_logits: jax.Array,
    turned_logits: jax.Array,
    turns: jax.Array,
    weight: jax.Array,
    *,
    detach: bool = False,
) -> tuple[jax.Array, Tree]:
    """The loss of one step from logits `[B, S, S, C]`.

    Args:
      labeled_logits: on x.
      labels: `[B, S, S]`.
      plain_logits: on u.
      turned_logits: on u rotated by `turns` quarter turns.
      turns: 0 to 3.
      weight: w(t).
      detach: the form of SSL4MIS.

    Returns:
      The total and its terms by name.
    """
    l_sup = segmentation.cross_entropy_and_dice(labeled_logits, labels)
    p = turn(jax.nn.softmax(plain_logits), turns)
    q = jax.nn.softmax(turned_logits)
    if detach:
        fixed = jax.lax.stop_gradient
        l_c = 0.5 * (consistency.mean_squared(q, fixed(p)) + consistency.mean_squared(p, fixed(q)))
    else:
        l_c = consistency.mean_squared(q, p)
    return l_sup + weight * l_c, {"supervised": l_sup, "consistency": l_c}


def turn(images: jax.Array, turns: jax.Array) -> jax.Array:
    """A batch `[B, S, S, C]` rotated by `turns` quarter turns."""
    return jax.vmap(lambda image: geometric.rot90(image, turns))(images)


def build(config: Config, network: Network, options: DctConfig) -> Method:
    def prepare(views: Tree, inputs: Inputs, keys: Sequence[jax.Array]) -> Tree:
        turns = jax.random.randint(keys[0], (), 0, 4)
        turned = {"image": turn(views["unlabeled"]["image"], turns)}
        return views | {"turned": turned, "turns": turns}

    def term(seen: Seen) -> Term:
        labeled, plain, turned = (seen.logits(name)[0] for name in SEEN)
        turns, weight = seen.views["turns"], seen.ramped("weight")
        return Term(
            *objective(labeled, seen.labels, plain, turned, turns, weight, detach=options.detach)
        )

    def pseudo_labels(
        variables: Tree, images: jax.Array, key: jax.Array, step: jax.Array
    ) -> PseudoLabels:
        once = jax.numpy.ones((), int)
        turned = network.main_logits(variables, turn(images, once))
        return all_kept(network.main_logits(variables, images), turn(turned, 3 * once))

    return one_network.build(
        config,
        network,
        one_objective(network, term, run=show(*SEEN), extra_keys=1, prepare=prepare),
        hyperparameters=("weight",),
        pseudo_labels=pseudo_labels,
    )
