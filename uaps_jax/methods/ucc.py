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
from uaps_jax.methods.base import Method, Views, all_kept
from uaps_jax.methods.loss import Seen, Term, one_objective, show
from uaps_jax.models.network import Network
from uaps_jax.transforms import mixing
from uaps_jax.trees import Tree

SEEN = ("labeled", "weak", "strong")


@dataclass(slots=True, kw_only=True)
class UccConfig(c.RampedConfig):
    name: ClassVar[str] = "ucc"
    # as in the study's other methods; 30,000 of 47,141 published
    ramp_share: ClassVar[float] = 0.85
    auxiliary: ClassVar[tuple[float, float]] = (1, 1)
    mixes_streams: ClassVar[bool] = True

    weight: float = field(metadata=c.at_least(0))  # w, weight of L_ps
    rectify: Literal["scalar", "pixel"]  # discount by exp(-D), as in UAPS; released: scalar
    # probability of a box from the next labeled image, per image
    cutmix: float = field(metadata=c.probability())
    # probability of a box from a labeled image in both unlabeled views, per image
    paste: float = field(metadata=c.probability())
    strong: c.PhotometricConfig  # the strong view; its geometry is that of views.unlabeled


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
    l_sup = jax.vmap(segmentation.cross_entropy_and_dice, (0, None))(labeled_logits, labels).sum()
    targets = jnp.flip(jax.lax.stop_gradient(weak_logits).argmax(-1), 0)
    d_1 = uncertainty.kl(strong_logits[1], weak_logits[0])
    d_2 = uncertainty.kl(weak_logits[1], strong_logits[0])
    divergence = jnp.stack([d_1, d_2])
    rectified = jax.vmap(partial(uaps.rectified, form=rectify))
    l_pseudo = rectified(strong_logits, targets, jnp.exp(-divergence)).sum()
    l_un = divergence.mean((1, 2, 3)).sum()
    parts = {"supervised": l_sup, "pseudo": l_pseudo, "uncertainty": l_un}
    return l_sup + weight * (l_pseudo + l_un), parts


def build(config: Config, network: Network, options: UccConfig) -> Method:
    """UCC on a network with one auxiliary decoder."""

    def term(seen: Seen) -> Term:
        labeled, weak, strong = (seen.logits(name) for name in SEEN)
        weight = seen.ramped("weight")
        return Term(*objective(labeled, seen.labels, weak, strong, weight, options.rectify))

    return one_network.build(
        config,
        network,
        one_objective(network, term, run=show(*SEEN)),
        hyperparameters=("weight",),
        views=mixed_views(config, options),
        pseudo_labels=one_network.of_logits(network, lambda f: all_kept(*f[::-1])),
        divergence="perturbed",
    )


def mixed_views(config: Config, options: UccConfig) -> Views:
    """Labeled images with boxes from the next one, and unlabeled views with boxes from these."""
    draw = view_lib.weak_and_strong(config, options.strong, ("strong",))

    def views(key: jax.Array, batch: Tree) -> Tree:
        drawn = draw(key, batch)
        count, height, width = drawn["labeled"]["mask"].shape
        half = partial(mixing.random_half, size=(height, width))
        cutmix_key, paste_key = (view_lib.stream_key(key, n) for n in ("cutmix", "paste"))
        mixed = mixing.boxes(cutmix_key, count, half, options.cutmix)
        labeled = mixing.paste(mixed, drawn["labeled"], mixing.next_images(drawn["labeled"]))
        pasted = mixing.boxes(paste_key, count, half, options.paste)
        image = {"image": labeled["image"]}
        unlabeled = {name: mixing.paste(pasted, drawn[name], image) for name in ("weak", "strong")}
        return {"labeled": labeled, **unlabeled}

    return views
