"""Strong views of unlabeled images, with boxes from other images (CutMix) and from labeled ones.

A strong view has the geometry of the weak view that a pseudo-label is made of. It may have a box
from the strong view of the next image of the batch, with its target (CutMix). UniMatch takes the
box from an image of another batch, UniMatch V2 from the batch in reverse order. Then it may have a
box from a labeled image, with its true label (AugSeg, Zhao et al. 2023).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.losses import masked
from uaps_jax.losses.masked import LossForm
from uaps_jax.methods import views as view_lib
from uaps_jax.methods.base import Hyperparameters, Views
from uaps_jax.transforms import mixing
from uaps_jax.trees import Tree

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class StrongViewsConfig(c.RampedConfig):
    auxiliary: ClassVar[tuple[float, float]] = (0, 0)

    cutmix: float = field(metadata=c.probability())  # of a box from the next image
    # range of its share of the image
    cutmix_area: tuple[float, float] = field(
        metadata=c.rule(lambda v: 0 < v[0] <= v[1] <= 1, "must be (low, high), above 0, up to 1")
    )
    strong: c.PhotometricConfig  # the strong views; their geometry is that of views.unlabeled

    def problems(self, config: Config) -> Iterator[str]:
        yield from c.RampedConfig.problems(self, config)
        yield from c.paired_batch_problems(config)


class Target(NamedTuple):
    """What a strong view is taught.

    Attributes:
      labels: class ids `[B, H, W]`.
      weight: of each pixel in the loss, `[B, H, W]`.
    """

    labels: jax.Array
    weight: jax.Array


class StrongView(NamedTuple):
    """A strong view and its target.

    Attributes:
      image: `[B, H, W, channels]`, normalised.
      target: of its pixels.
    """

    image: jax.Array
    target: Target


def paste(box: jax.Array, onto: T, source: T) -> T:
    """`source` inside the boxes `[B, H, W]`, else `onto`: trees of arrays `[B, H, W, ...]`."""
    pasted: T = jax.tree.map(partial(mixing.paste, box), onto, source)
    return pasted


def confident(probabilities: jax.Array, limits: jax.Array) -> Target:
    """The most probable class; weight 1 where its probability reaches its class's limit `[C]`."""
    labels = probabilities.argmax(-1).astype(jnp.int32)
    kept = probabilities.max(-1) >= limits[labels]
    return Target(labels, kept.astype(probabilities.dtype))


def pseudo_label_loss(logits: jax.Array, target: Target, form: LossForm) -> jax.Array:
    """The loss of a view from logits `[K, B, H, W, C]`, a mean over the K decoders."""
    of_decoders = jax.vmap(partial(masked.masked_loss, form=form), in_axes=(0, None, None))
    return of_decoders(logits, target.labels, target.weight).mean()


def next_image(x: jax.Array) -> jax.Array:
    """For each image of a batch, the next one; the first for the last."""
    return jnp.roll(x, -1, axis=0)


def strong_names(count: int) -> tuple[str, ...]:
    return tuple(f"strong_{number}" for number in range(count))


def make_views(
    config: Config, options: StrongViewsConfig, names: Sequence[str], *, labeled_boxes: bool
) -> Views:
    """`labeled`, `weak` and the named strong views.

    Each strong view has `box`, its CutMix mask, and, with `labeled_boxes`, `paste`, the mask of a
    box from a labeled image.
    """
    normalize = view_lib.normalizer(config)
    draw = view_lib.weak_and_strong(config, options.strong, names)

    def views(
        key: jax.Array, batch: Tree, step: jax.Array, hyperparameters: Hyperparameters
    ) -> Tree:
        del step, hyperparameters
        made: Tree = {
            name: fields | {"image": normalize(fields["image"])}
            for name, fields in draw(key, batch).items()
        }
        count, height, width = made["weak"]["image"].shape[:3]
        rectangle = partial(
            mixing.random_rectangle,
            size=(height, width),
            area=options.cutmix_area,
            aspect=mixing.CUTMIX_ASPECT,
        )
        for name in names:
            box_key = view_lib.stream_key(key, f"cutmix {name}")
            box = mixing.boxes(box_key, count, rectangle, options.cutmix)
            made[name] = made[name] | {"box": box}
            if labeled_boxes:
                paste_key = view_lib.stream_key(key, f"paste {name}")
                made[name]["paste"] = mixing.boxes(paste_key, count, rectangle)
        return made

    return views


def with_boxes(
    boxes: Tree, of_strong: T, of_labeled: T | None = None, has_paste: jax.Array | None = None
) -> T:
    """Images, targets or both of a strong view, with its boxes pasted in.

    Args:
      boxes: the view, as of `make_views`.
      of_strong: arrays `[B, H, W, ...]` of the view.
      of_labeled: those of the labeled images; None if the view has no boxes from them.
      has_paste: `[B]`, which images take the box from a labeled image; all if None.
    """
    result = paste(boxes["box"], of_strong, jax.tree.map(next_image, of_strong))
    if of_labeled is None:
        return result
    box = boxes["paste"] if has_paste is None else boxes["paste"] & has_paste[:, None, None]
    return paste(box, result, of_labeled)
