"""A classifier of image labels whose activation maps follow its views (SEAM, Wang et al. 2020).

It learns which classes are in the mask of a labeled image, and not where. A head on the encoder's
last level has a map a_k for each class without the background; the mean of a map is the logit of
its class. With a view x, a smaller copy x' of it and the tags t of the image,

    v     = [1 - max_k v_k, v_1, ..., v_K],   v_k = t_k relu(a_k) / max relu(a_k),   v' of x'
    r     = PCM(v), by features of a second head,   r' of x'
    L     = mean of both views of [L_tags + L_low] + lambda (ER + ECR),   L_low = lambda low(r)

`uaps_jax/weak_supervision/equivariant_attention.py` has the terms. With lambda = 0 there is no
second view, and this is a classifier with class activation maps (Zhou et al. 2016).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.methods import one_network
from uaps_jax.methods import views as view_lib
from uaps_jax.methods.base import Inputs, Method, Predictor, Views, labeled_stream
from uaps_jax.methods.loss import Seen, Term, one_objective, show
from uaps_jax.models.heads import image_logits
from uaps_jax.models.network import Network
from uaps_jax.models.resize import resize
from uaps_jax.trees import Tree
from uaps_jax.weak_supervision import equivariant_attention as attention

LABELS, CORRELATION = "labels", "correlation"
"""The heads: activation maps, and features that are compared by PCM."""

EPSILON = 1e-5
LEAST = 1e-30
"""The least probability whose logarithm is taken."""


@dataclass(slots=True, kw_only=True)
class SeamConfig(c.MethodConfig):
    name: ClassVar[str] = "seam"
    auxiliary: ClassVar[tuple[float, float]] = (0, 0)

    equivariance: float = field(metadata=c.at_least(0))  # lambda; 0: one view and the tags alone
    small: float = field(metadata=c.fraction())  # sides of x' as a share of those of x
    correlation: int = field(metadata=c.at_least(1))  # channels of the features of PCM

    def heads(self, config: Config) -> Mapping[str, c.Head]:
        return {
            LABELS: c.Head("class_activation", config.data.classes - 1),
            CORRELATION: c.Head("class_activation", self.correlation),
        }


def activations(maps: jax.Array, tags: jax.Array) -> jax.Array:
    """v, `[B, h, w, 1 + K]`.

    Args:
      maps: a, `[B, h, w, K]`.
      tags: t, `[B, K]`.
    """
    positive = jax.nn.relu(maps)
    largest = positive.max((1, 2), keepdims=True)
    return attention.with_background(tags[:, None, None] * positive / (largest + EPSILON))


def refined(maps: jax.Array, features: jax.Array, tags: jax.Array) -> jax.Array:
    """r, `[B, h, w, 1 + K]`; the gradient is that of the features alone."""
    v = jax.lax.stop_gradient(activations(maps, tags))
    kept = jnp.concatenate([jnp.ones_like(tags[:, :1]), tags], -1)[:, None, None]
    return kept * attention.pixel_correlation(v, features)


def objective(
    views: Sequence[tuple[jax.Array, jax.Array]], tags: jax.Array, equivariance: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """L and its terms.

    Args:
      views: a and the features of each view, `[B, h, w, K]` and `[B, h, w, F]`: one, or x and x'.
      tags: t, 0 or 1, `[B, K]`.
      equivariance: lambda, of the terms of two views.
    """
    of_tags = [attention.multilabel_soft_margin(image_logits(maps), tags) for maps, _ in views]
    loss = sum(of_tags, jnp.zeros(())) / len(views)
    parts = {"labels": loss}
    if len(views) == 1:
        return loss, parts
    (maps, _), (small, _) = views
    size = small.shape[1:3]
    v, v_small = resize(activations(maps, tags), *size), activations(small, tags)
    r, r_small = (refined(*view, tags) for view in views)
    parts |= {
        "low": (attention.low_activation_loss(r) + attention.low_activation_loss(r_small)) / 2,
        "equivariance": attention.equivariant_regularization(v_small, v),
        "cross": attention.cross_regularization(v_small, v, r_small, resize(r, *size)),
    }
    return loss + equivariance * (parts["low"] + parts["equivariance"] + parts["cross"]), parts


class ActivationPredictor(Predictor):
    """v of a - a_0 as probabilities, with the classes whose logit, of a, is positive as tags.

    a_0 are the maps of an image whose pixels all have the mean colour: what is left is 0 for such
    an image, at its border and in its centre. Where a class is in many images, its map is high at
    the border of every image: convolutions that are padded with zeros can tell the border, and
    make there what the logits have in common. The border of an image inside its padding stays.
    """

    def logits(self, variables: Tree, images: jax.Array, key: jax.Array | None) -> jax.Array:
        """log(v / sum v), `[1, B, H, W, C]`; there is nothing that a key could perturb."""
        maps, _ = self.maps(variables, images)
        is_there = (image_logits(maps) > 0).astype(maps.dtype)
        v = activations(maps - self.flat_maps(variables, images.shape[1:]), is_there)
        large = resize(v, *images.shape[1:3])
        return jnp.log(jnp.maximum(large / large.sum(-1, keepdims=True), LEAST))[None]

    def maps(self, variables: Tree, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """a and the features of PCM, of images `[B, H, W, channels]` on the 0..255 scale."""
        return self._heads(variables, self.normalize(images))

    def flat_maps(self, variables: Tree, shape: Sequence[int]) -> jax.Array:
        """a_0, `[1, h, w, K]`, of an image of the shape `(H, W, channels)`."""
        normalized = jax.eval_shape(self.normalize, jax.ShapeDtypeStruct((1, *shape), jnp.float32))
        maps, _ = self._heads(variables, jnp.zeros(normalized.shape, normalized.dtype))
        return maps

    def _heads(self, variables: Tree, normalized: jax.Array) -> tuple[jax.Array, jax.Array]:
        [network] = self.networks(variables)
        heads = self.network.outputs(network, normalized).heads
        return heads[LABELS][0], heads[CORRELATION][0]


def make_views(config: Config) -> Views:
    """The view `labeled`, with `image` and `tags`, those of the image before the view."""
    weak = view_lib.weak_views(config, {"labeled": labeled_stream(config)})
    classes = jnp.arange(1, config.data.classes)[None, None, None]

    def views(key: jax.Array, batch: Tree) -> Tree:
        tags = (batch["labeled"]["mask"][..., None] == classes).any((1, 2))
        made = weak(key, batch)["labeled"]
        return {"labeled": {"image": made["image"], "tags": tags.astype(jnp.float32)}}

    return views


def build(config: Config, network: Network, options: SeamConfig) -> Method:
    names = ("labeled", "small") if options.equivariance else ("labeled",)

    def shrunk(pixels: int) -> int:
        return max(1, round(pixels * options.small / network.stride)) * network.stride

    def prepare(views: Tree, inputs: Inputs, keys: Sequence[jax.Array]) -> Tree:
        images = views["labeled"]["image"]
        small = resize(images, *map(shrunk, images.shape[1:3]))
        return views | {"small": {"image": small}}

    def term(seen: Seen) -> Term:
        heads = [seen.outputs[name].heads for name in names]
        views = [(of_view[LABELS][0], of_view[CORRELATION][0]) for of_view in heads]
        tags = seen.views["labeled"]["tags"]
        return Term(*objective(views, tags, seen.hyperparameters["equivariance"]))

    loss = one_objective(network, term, run=show(*names), prepare=prepare)
    method = one_network.build(
        config,
        network,
        loss,
        hyperparameters=("equivariance",),
        streams={"labeled": labeled_stream(config)},
        views=make_views(config),
    )
    maps = ActivationPredictor(
        network=network,
        normalize=view_lib.normalizer(config),
        networks=lambda variables: [variables],
    )
    return dataclasses.replace(method, predictors={"maps": maps})
