"""BCP (Bai et al., CVPR 2023): boxes pasted both ways between labeled and unlabeled images.

With a labeled image (x, y), a weak view w of an unlabeled one, its pseudo-label y_hat by an EMA
teacher f' (here in evaluation mode), and a mask M that is 0 in a box and 1 around it:

    a = M x + (1 - M) w,     b = M w + (1 - M) x,     y_hat = argmax_c f'_c(w)
    L = l_M(f(a), y) + alpha l_{1-M}(f(a), y_hat) + l_{1-M}(f(b), y) + alpha l_M(f(b), y_hat)
    l_R(f, y) = 1/2 [CE over the pixels of R + Dice over the pixels of R]

There is no threshold and no term of whole labeled images. In the first `pretrain` steps another
labeled image of the batch takes the place of w, its label that of y_hat, with alpha = 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.losses import segmentation
from uaps_jax.methods import teacher
from uaps_jax.methods import views as view_lib
from uaps_jax.methods.base import Inputs, Method, Views
from uaps_jax.methods.loss import Seen, Term, one_objective, show
from uaps_jax.methods.one_network import both_streams
from uaps_jax.models.network import Network
from uaps_jax.transforms import mixing
from uaps_jax.trees import Tree


@dataclass(slots=True, kw_only=True)
class BcpConfig(c.MethodConfig):
    name: ClassVar[str] = "bcp"
    auxiliary: ClassVar[tuple[float, float]] = (0, 0)
    mixes_streams: ClassVar[bool] = True
    late_starts: ClassVar[Mapping[str, float]] = {"pretrain": 0.25}  # 10,000 of 40,000 published

    weight: float = field(metadata=c.at_least(0))  # alpha, of pseudo-labeled pixels
    ema_decay: float = field(metadata=c.below_one())  # largest decay of the teacher
    box: float = field(metadata=c.probability())  # side of the box, as a share of the image's
    pretrain: int = field(metadata=c.at_least(0))  # steps with labeled images alone


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

    def views(key: jax.Array, batch: Tree) -> Tree:
        made: Tree = weak(key, batch)
        count, height, width = made["unlabeled"]["image"].shape[:3]
        draw = partial(mixing.random_part, size=(height, width), side=options.box)
        inside = mixing.boxes(view_lib.stream_key(key, "box"), count, draw)
        return made | {"box": {"outside": ~inside}}

    return views


def build(config: Config, network: Network, options: BcpConfig) -> Method:
    def prepare(views: Tree, inputs: Inputs, keys: Sequence[jax.Array]) -> Tree:
        labeled, unlabeled = views["labeled"], views["unlabeled"]["image"]
        pretrains = inputs.step < inputs.hyperparameters["pretrain"]
        pseudo = network.main_logits(inputs.state["teacher"], unlabeled).argmax(-1)
        pseudo = pseudo.astype(labeled["mask"].dtype)
        pseudo = jnp.where(pretrains, mixing.next_images(labeled["mask"]), pseudo)
        other = jnp.where(pretrains, mixing.next_images(labeled["image"]), unlabeled)
        paste = partial(mixing.paste, views["box"]["outside"])
        return {
            **views,
            "first": {"image": paste(other, labeled["image"])},
            "second": {"image": paste(labeled["image"], other)},
            "target": {"pseudo": pseudo, "pretrains": pretrains},
        }

    def term(seen: Seen) -> Term:
        first, second = (seen.logits(name)[0] for name in ("first", "second"))
        target, outside = seen.views["target"], seen.views["box"]["outside"]
        weight = jnp.where(target["pretrains"], 1.0, seen.hyperparameters["weight"])
        return Term(*objective(first, second, seen.labels, target["pseudo"], outside, weight))

    run = show("first", "second", joint=True)
    return teacher.build(
        config,
        network,
        one_objective(network, term, run=run, prepare=prepare),
        hyperparameters=("weight", "pretrain"),
        pseudo_labels=partial(teacher.pseudo_labels, network),
        views=make_views(config, options),
        predictors=("student", "teacher"),
    )
