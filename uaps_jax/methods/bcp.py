"""BCP (Bai et al., CVPR 2023): boxes pasted both ways between labeled and unlabeled images.

With a labeled image (x, y), a weak view w of an unlabeled one, its pseudo-label y_hat by an EMA
teacher f' (here in evaluation mode), and a mask M that is 0 in a box and 1 around it:

    a = M x + (1 - M) w,     b = M w + (1 - M) x,     y_hat = argmax_c f'_c(w)
    L = l_M(f(a), y) + alpha l_{1-M}(f(a), y_hat) + l_{1-M}(f(b), y) + alpha l_M(f(b), y_hat)
    l_R(f, y) = 1/2 [CE over the pixels of R + Dice over the pixels of R]

There is no threshold and no term of whole labeled images. In the first `pretrain` steps another
labeled image of the batch takes the place of w, its label that of y_hat, with alpha = 1.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.losses import segmentation
from uaps_jax.methods import passes, teacher
from uaps_jax.methods import views as view_lib
from uaps_jax.methods.base import Hyperparameters, Inputs, Method, PseudoLabels, Views
from uaps_jax.methods.loss import Seen, Term, one_objective, show
from uaps_jax.methods.one_network import both_streams
from uaps_jax.methods.strong_views import next_image
from uaps_jax.models.network import Network
from uaps_jax.transforms import mixing
from uaps_jax.trees import Tree

PRETRAIN_SHARE = 0.25
"""Of the steps, in a shortened run; published: 10,000 of 40,000."""


@dataclass(slots=True, kw_only=True)
class BcpConfig(c.MethodConfig):
    name: ClassVar[str] = "bcp"
    auxiliary: ClassVar[tuple[float, float]] = (0, 0)

    weight: float = field(metadata=c.at_least(0))  # alpha, of pseudo-labeled pixels
    ema_decay: float = field(metadata=c.below_one())  # largest decay of the teacher
    box: float = field(metadata=c.probability())  # side of the box, as a share of the image's
    pretrain: int = field(metadata=c.at_least(0))  # steps with labeled images alone

    def problems(self, config: Config) -> Iterator[str]:
        yield from c.MethodConfig.problems(self, config)
        yield from c.paired_batch_problems(config)
        yield from c.late_start_problems(config, "method.pretrain", PRETRAIN_SHARE)

    def scale_ramps(self, steps: int, share: float) -> None:
        del share
        self.pretrain = round(PRETRAIN_SHARE * steps)


def objective(
    first: jax.Array,
    second: jax.Array,
    labels: jax.Array,
    pseudo: jax.Array,
    outside: jax.Array,
    weight: jax.Array,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The loss of a step.

    Args:
      first: f(a), logits `[B, H, W, C]`.
      second: f(b), likewise.
      labels: y, `[B, H, W]`.
      pseudo: y_hat, `[B, H, W]`.
      outside: M, boolean `[B, H, W]`.
      weight: alpha.

    Returns:
      The total and its terms by name.
    """

    def region(logits: jax.Array, target: jax.Array, mask: jax.Array) -> jax.Array:
        weight_of_pixels = mask.astype(logits.dtype)
        return segmentation.cross_entropy_and_dice(logits, target, weight_of_pixels, "weight")

    l_sup = region(first, labels, outside) + region(second, labels, ~outside)
    l_u = region(first, pseudo, ~outside) + region(second, pseudo, outside)
    return l_sup + weight * l_u, {"supervised": l_sup, "pseudo": l_u}


def make_views(config: Config, options: BcpConfig) -> Views:
    """Weak views of both streams, and `box`, the mask M `[B, H, W]` of the unlabeled ones."""
    weak = view_lib.weak_views(config, both_streams(config))

    def views(
        key: jax.Array, batch: Tree, step: jax.Array, hyperparameters: Hyperparameters
    ) -> Tree:
        made: Tree = weak(key, batch, step, hyperparameters)
        count, *size = made["unlabeled"]["image"].shape[:3]
        sides = jnp.asarray([round(options.box * side) for side in size])

        def draw(box_key: jax.Array) -> jax.Array:
            corner = jax.random.randint(box_key, (2,), 0, jnp.asarray(size) - sides + 1)
            return mixing.box(corner[0], corner[1], sides[0], sides[1], (size[0], size[1]))

        inside = mixing.boxes(view_lib.stream_key(key, "box"), count, draw)
        return made | {"box": {"outside": ~inside}}

    return views


def build(config: Config, network: Network) -> Method:
    options = config.method
    assert isinstance(options, BcpConfig)

    def prepare(views: Tree, inputs: Inputs, keys: Sequence[jax.Array]) -> Tree:
        del keys
        labeled, unlabeled = views["labeled"], views["unlabeled"]["image"]
        logits, _ = teacher.logits(
            network, inputs.state["teacher"], unlabeled, inputs.key, train=False
        )
        pretrains = inputs.step < options.pretrain
        pseudo = logits.argmax(-1).astype(labeled["mask"].dtype)
        pseudo = jnp.where(pretrains, next_image(labeled["mask"]), pseudo)
        other = jnp.where(pretrains, next_image(labeled["image"]), unlabeled)
        paste = partial(mixing.paste, views["box"]["outside"])
        return {
            **views,
            "first": {"image": paste(other, labeled["image"])},
            "second": {"image": paste(labeled["image"], other)},
            "target": {"pseudo": pseudo, "pretrains": pretrains},
        }

    def term(seen: Seen) -> Term:
        target = seen.views["target"]
        total, parts = objective(
            seen.logits("first")[0],
            seen.logits("second")[0],
            seen.labels,
            target["pseudo"],
            seen.views["box"]["outside"],
            jnp.where(target["pretrains"], 1.0, seen.hyperparameters["weight"]),
        )
        return Term(total, parts)

    def pseudo_labels(
        variables: Tree, images: jax.Array, key: jax.Array, step: jax.Array
    ) -> PseudoLabels:
        del key, step
        return teacher.pseudo_labels(network, variables, images)

    return teacher.build(
        config,
        network,
        one_objective(
            network,
            term,
            run=show("first", "second", forward=partial(passes.forward, joint=True)),
            ramped=False,
            prepare=prepare,
        ),
        hyperparameters={"weight": options.weight},
        ema_decay=options.ema_decay,
        average_statistics=True,
        pseudo_labels=pseudo_labels,
        views=make_views(config, options),
    )
