"""The student of PPL (Perturbed Progressive Learning, TNNLS 2023), taught by given pseudo-labels.

The pseudo-labels y_hat of the unlabeled images were made by another network before this training.
For labeled (x, y) and a weak view w of an unlabeled image, n of each in a batch, Def-UP mixes,
with s = A_s(w) a photometric change of w, boxes M_1, M_2 and xi_i ~ U(0, 1):

    kappa_i = mean over the pixels of (1 - H(q) / log C) max_c q_c,   q = softmax f(w_i)
    a_i     = M_1 x_i + (1 - M_1) s_i     if xi_i > kappa_i, else s_i
    t_i     = M_1 y_i + (1 - M_1) y_hat_i if xi_i > kappa_i, else y_hat_i
    z_i     = M_2 a_j + (1 - M_2) s_i,    q_i = M_2 t_j + (1 - M_2) y_hat_i,    j = i + 1 mod n
    L       = mean over all pixels with a label of CE(f(x), y) and CE(f(z), q)

`loss` can be the Dice loss of the same pixels, or half the sum of both, in place of CE.
q is computed in evaluation mode without a gradient. A mask M is the XOR of three boxes and the
same for all images of a batch. In the "released" form A_s changes the normalised image, converted
to 8 bits with a wrap-around, and the result is normalised again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, TypeVar

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config, Form
from uaps_jax.losses import masked, uncertainty
from uaps_jax.losses.masked import LossForm
from uaps_jax.methods import one_network, passes
from uaps_jax.methods import views as view_lib
from uaps_jax.methods.base import Inputs, Method, Views, labeled_stream, unlabeled_stream
from uaps_jax.methods.loss import Seen, Term, one_objective, show
from uaps_jax.models.network import Network
from uaps_jax.transforms import build as build_views
from uaps_jax.transforms import mixing, photometric
from uaps_jax.transforms import views as drawing
from uaps_jax.trees import Tree

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class PplConfig(c.MethodConfig):
    name: ClassVar[str] = "ppl"
    auxiliary: ClassVar[tuple[float, float]] = (0, 0)
    mixes_streams: ClassVar[bool] = True

    loss: LossForm  # of both streams; cross-entropy as published
    form: Form  # of the strong view's input
    boxes: int = field(metadata=c.at_least(1))  # of a mask, combined by XOR
    # range of the sum of their areas, as a share of the image
    box_area: tuple[float, float] = field(metadata=c.area_range())
    strong: c.PhotometricConfig  # A_s


def objective(
    labeled: jax.Array, labels: jax.Array, mixed: jax.Array, targets: jax.Array, form: LossForm
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The loss of both streams as one batch.

    Args:
      labeled: f(x), logits `[B, H, W, C]`.
      labels: y, class ids `[B, H, W]`, 255 where there is none.
      mixed: f(z), logits `[B, H, W, C]`.
      targets: q, likewise.
      form: of the loss; "cross_entropy" is the mean of CE over all pixels with a label, 0 if there
        are none.

    Returns:
      The loss, and that of each stream by name.
    """
    both = passes.interleave(labeled, mixed), passes.interleave(labels, targets)
    total, supervised, pseudo = (
        masked.masked_loss(logits, classes, None, form)
        for logits, classes in (both, (labeled, labels), (mixed, targets))
    )
    return total, {"supervised": supervised, "pseudo": pseudo}


def def_up(strong: T, labeled: T, boxes: tuple[jax.Array, jax.Array], unsure: jax.Array) -> T:
    """z and q from s and y_hat, x and y.

    Args:
      strong: a tree of arrays `[B, H, W, ...]`, the images s and the labels y_hat.
      labeled: x and y, likewise.
      boxes: M_1 and M_2, boolean `[B, H, W]`.
      unsure: `[B]`, whether xi > kappa.
    """
    from_labeled, from_next = boxes
    with_labeled = mixing.paste(from_labeled & unsure[:, None, None], strong, labeled)
    return mixing.paste(from_next, strong, mixing.next_images(with_labeled))


def make_views(config: Config, options: PplConfig) -> Views:
    """`labeled`, `weak` and `strong` with the fields `image` and `mask`, and `boxes`.

    `boxes` has M_1, `labeled`, and M_2, `next`, boolean `[B, H, W]`, each the same for all images.
    """
    normalize = view_lib.normalizer(config)
    data = config.data
    labeled_view = build_views.view(config.views.labeled)
    weak_view = build_views.view(config.views.unlabeled)
    strong_view = build_views.photometric_view(options.strong)

    def views(key: jax.Array, batch: Tree) -> Tree:
        keys = {
            name: view_lib.stream_key(key, name)
            for name in ("labeled", "unlabeled", "strong", "box labeled", "box next")
        }
        weak = view_lib.draw_view(keys["unlabeled"], batch["unlabeled"], weak_view)
        source = weak["image"]
        if options.form == "released":
            normalized = drawing.normalize(source, data.mean, data.std, jnp.dtype(jnp.float32))
            source = photometric.wrapped(normalized)
        drawn = {
            "labeled": view_lib.draw_view(keys["labeled"], batch["labeled"], labeled_view),
            "weak": weak,
            "strong": drawing.draw(keys["strong"], weak | {"image": source}, strong_view),
        }
        made: Tree = {
            name: fields | {"image": normalize(fields["image"])} for name, fields in drawn.items()
        }
        count, height, width = source.shape[:3]
        mask = partial(
            mixing.random_boxes, size=(height, width), count=options.boxes, area=options.box_area
        )
        shape = (count, height, width)
        boxes = {
            name: jnp.broadcast_to(mask(keys[f"box {name}"]), shape) for name in ("labeled", "next")
        }
        return made | {"boxes": boxes}

    return views


def build(config: Config, network: Network, options: PplConfig) -> Method:
    """A method with one network, whose unlabeled stream has masks, the pseudo-labels."""
    streams = {"labeled": labeled_stream(config), "unlabeled": unlabeled_stream(config, "mask")}

    def prepare(views: Tree, inputs: Inputs, keys: Sequence[jax.Array]) -> Tree:
        variables = {"params": inputs.params, "batch_stats": inputs.state["batch_stats"]}
        fixed = jax.lax.stop_gradient(variables)
        q = jax.nn.softmax(network.main_logits(fixed, views["weak"]["image"]))
        kappa = uncertainty.certainty(q).mean((1, 2))
        unsure = jax.random.bernoulli(keys[0], 1 - kappa)
        boxes = views["boxes"]["labeled"], views["boxes"]["next"]
        mixed = def_up(views["strong"], views["labeled"], boxes, unsure)
        return views | {"mixed": mixed, "certainty": kappa}

    def term(seen: Seen) -> Term:
        labeled, mixed = (seen.logits(name)[0] for name in ("labeled", "mixed"))
        total, parts = objective(
            labeled, seen.labels, mixed, seen.views["mixed"]["mask"], options.loss
        )
        return Term(total, parts | {"certainty": seen.views["certainty"].mean()})

    run, views = show("labeled", "mixed", joint=True), make_views(config, options)
    loss = one_objective(network, term, run=run, extra_keys=1, prepare=prepare)
    return one_network.build(config, network, loss, streams=streams, views=views)
