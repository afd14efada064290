"""UCC (Fan et al. 2022), in the simplified form of UAPS's study.

One encoder, a main decoder on clean features and one on noisy ones; u_w and u_s are a weak and a
strong view of the same unlabeled image, into both of which a box of a labeled image may be pasted.

    y_1 = argmax p_2(u_w),                   y_2 = argmax p_1(u_w)
    D_1 = KL(p_2(u_s) || p_1(u_w)),          D_2 = KL(p_2(u_w) || p_1(u_s))
    L_ps = sum_i l(f_i(u_s), y_i) mean exp(-D_i) + mean D_i
    L = sum_i l(f_i(x), y) + w(t) L_ps,      l(f, y) = 1/2 [CE(f, y) + Dice(softmax f, y)]

Each labeled image is mixed with the next one of the batch by CutMix; the boxes for unlabeled images
are cut from these mixed images. Each box is half of the image. Over several devices, the next image
of a device's last one is on the next device: each device receives one image. As in UAPS's released
code, the discount is one number per decoder (`rectify="pixel"` weights pixels), and only the hard
labels are detached.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.losses import segmentation, uncertainty
from uaps_jax.methods import one_network, uaps
from uaps_jax.methods import views as view_lib
from uaps_jax.methods.base import Hyperparameters, Method, Views, all_kept
from uaps_jax.methods.loss import Seen, Term, one_objective, show
from uaps_jax.models.network import Network
from uaps_jax.transforms import mixing
from uaps_jax.trees import Tree

SEEN = ("labeled", "weak", "strong")


@dataclass(slots=True, kw_only=True)
class UccConfig(c.RampedConfig):
    name: ClassVar[str] = "ucc"
    ramp_share: ClassVar[float] = (
        0.85  # as in the study's other methods; 30,000 of 47,141 published
    )
    auxiliary: ClassVar[tuple[float, float]] = (1, 1)

    weight: float = field(metadata=c.at_least(0))  # w, weight of L_ps
    rectify: Literal["scalar", "pixel"]  # discount by exp(-D), as in UAPS; released: scalar
    # probability of a box from the next labeled image, per image
    cutmix: float = field(metadata=c.probability())
    # probability of a box from a labeled image in both unlabeled views, per image
    paste: float = field(metadata=c.probability())
    strong: c.PhotometricConfig  # the strong view; its geometry is that of views.unlabeled

    def problems(self, config: Config) -> Iterator[str]:
        yield from c.RampedConfig.problems(self, config)
        yield from c.paired_batch_problems(config)


def objective(
    labeled_logits: jax.Array,
    labels: jax.Array,
    weak_logits: jax.Array,
    strong_logits: jax.Array,
    weight: jax.Array,
    rectify: str = "scalar",
) -> tuple[jax.Array, Tree]:
    """The loss of one step from logits `[2, B, H, W, C]`, the main decoder first.

    Returns:
      The total and its terms by name.
    """
    supervise = jax.vmap(segmentation.cross_entropy_and_dice, in_axes=(0, None))
    l_sup = supervise(labeled_logits, labels).sum()
    targets = jnp.flip(jax.lax.stop_gradient(weak_logits).argmax(-1), 0)
    divergence = jnp.stack(
        [
            uncertainty.kl(strong_logits[1], weak_logits[0]),
            uncertainty.kl(weak_logits[1], strong_logits[0]),
        ]
    )
    rectified = uaps.rectified_pixel if rectify == "pixel" else uaps.rectified_scalar
    l_pseudo = jax.vmap(rectified)(strong_logits, targets, jnp.exp(-divergence)).sum()
    l_un = divergence.mean((1, 2, 3)).sum()
    parts = {"supervised": l_sup, "pseudo": l_pseudo, "uncertainty": l_un}
    return l_sup + weight * (l_pseudo + l_un), parts


def build(config: Config, network: Network) -> Method:
    """UCC on a network with one auxiliary decoder."""
    options = config.method
    assert isinstance(options, UccConfig)

    def term(seen: Seen) -> Term:
        labeled, weak, strong = (seen.logits(name) for name in SEEN)
        return Term(
            *objective(labeled, seen.labels, weak, strong, seen.ramped("pseudo"), options.rectify)
        )

    return one_network.build(
        config,
        network,
        one_objective(network, term, run=show(*SEEN)),
        hyperparameters={"pseudo": options.weight},
        views=mixed_views(config, options),
        pseudo_labels=lambda variables, images, key, step: all_kept(
            *network.all_logits(variables, images, key)[::-1]
        ),
        divergence="perturbed",
    )


def mixed_views(config: Config, options: UccConfig) -> Views:
    """Labeled images with boxes from the next one, and unlabeled views with boxes from these."""
    normalize = view_lib.normalizer(config)
    draw = view_lib.weak_and_strong(config, options.strong, ("strong",))

    def views(
        key: jax.Array, batch: Tree, step: jax.Array, hyperparameters: Hyperparameters
    ) -> Tree:
        del step, hyperparameters
        drawn = draw(key, batch)
        x, y = drawn["labeled"]["image"], drawn["labeled"]["mask"]
        weak, strong = drawn["weak"]["image"], drawn["strong"]["image"]
        cutmix_key, paste_key = (view_lib.stream_key(key, n) for n in ("cutmix", "paste"))
        half = partial(mixing.random_half, size=(x.shape[1], x.shape[2]))
        mixed = mixing.boxes(cutmix_key, len(x), half, options.cutmix)
        image, mask = (mixing.paste(mixed, own, jnp.roll(own, -1, axis=0)) for own in (x, y))
        pasted = mixing.boxes(paste_key, len(weak), half, options.paste)
        weak, strong = (mixing.paste(pasted, own, image) for own in (weak, strong))
        return {
            "labeled": {"image": normalize(image), "mask": mask},
            "weak": {"image": normalize(weak)},
            "strong": {"image": normalize(strong)},
        }

    return views
