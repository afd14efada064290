"""DCT as UAPS's study implements it: consistency under quarter turns (not adversarial co-training).

    k  ~ U{0, 1, 2, 3}, once a step
    L  = 1/2 [CE(f(x), y) + Dice(softmax f(x), y)] + w(t) L_c
    L_c = mean (softmax f(rot90^k u) - rot90^k softmax f(u))^2

Released: gradients through both sides. `detach=True` is the form of SSL4MIS: half the sum of both
directions, each with a fixed target.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import jax

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.losses import consistency, segmentation
from uaps_jax.methods import base
from uaps_jax.transforms import geometric
from uaps_jax.trees import Tree

STREAMS = {"labeled": "labeled", "unlabeled": "unlabeled"}


@dataclass(slots=True, kw_only=True)
class DctConfig(c.RampedConfig):
    """DCT; the values of the released code come first."""

    name: ClassVar[str] = "dct"
    ramp_share: ClassVar[float] = 0.85  # 30,000 of 35,341 steps

    weight: float = field(metadata=c.at_least(0))  # w, weight of the consistency term
    detach: bool  # each side is a fixed target of the other (released: False)

    def problems(self, config: Config) -> Iterator[str]:
        """What is wrong with these settings, a line each."""
        yield from c.check(
            config, "network.auxiliary", config.network.auxiliary == 0, "DCT has 1 decoder"
        )
        height, width = config.views.unlabeled.size(config.data)
        yield from c.check(
            config, "data.width", width == height, "DCT's quarter turns need square views"
        )
        yield from c.paired_batches(config)


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
      turned_logits: on u turned by `turns` quarter turns.
      turns: 0 to 3.
      weight: w(t).
      detach: the form of SSL4MIS.

    Returns:
      The total and its parts by name.
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
    """A batch `[B, S, S, C]` by so many quarter turns."""
    return jax.vmap(lambda image: geometric.rot90(image, turns))(images)


def build(config: Config) -> base.Method:
    """DCT on `config`'s network."""
    options = config.method
    assert isinstance(options, DctConfig)
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
        forward_key, turns_key = jax.random.split(key)
        x, u = (views[stream]["image"] for stream in STREAMS)
        turns = jax.random.randint(turns_key, (), 0, 4)
        outputs, stats = base.forward(
            model, params, state["batch_stats"], forward_key, x, u, turn(u, turns)
        )
        labeled, plain, turned = outputs.logits[:, 0]
        ramp = base.ramp(step, weights)
        value, parts = objective(
            labeled,
            views["labeled"]["mask"],
            plain,
            turned,
            turns,
            weights["consistency"] * ramp,
            detach=options.detach,
        )
        return value, (state | {"batch_stats": stats}, parts | {"ramp": ramp})

    def probe(variables: Tree, images: jax.Array, key: jax.Array, step: jax.Array) -> base.Probe:
        images = normalize(images)
        once = jax.numpy.ones((), int)
        turned = model.main_logits(variables, turn(images, once))
        return base.hard_probe(model.main_logits(variables, images), turn(turned, 3 * once))

    return base.Method(
        streams=STREAMS,
        weights={"consistency": options.weight, **base.ramp_weights(options)},
        views=base.weak_views(config, STREAMS),
        loss=loss,
        uncertainty=None,
        probe=probe,
        **base.single_network(config, model),
    )
