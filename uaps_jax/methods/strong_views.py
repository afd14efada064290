"""Strong views of unlabeled images, with boxes from other images (CutMix) and from labeled ones.

A strong view has the geometry of the weak view that a pseudo-label is made of. It may have a box
from the strong view of the next image of the batch, with its target (CutMix). UniMatch takes the
box from an image of another batch, UniMatch V2 from the batch in reverse order. Then it may have a
box from a labeled image, with its true label (AugSeg, Zhao et al. 2023).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.methods import views as view_lib
from uaps_jax.methods.base import Views
from uaps_jax.transforms import mixing
from uaps_jax.trees import Tree

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class StrongViewsConfig(c.RampedConfig):
    auxiliary: ClassVar[tuple[float, float]] = (0, 0)
    mixes_streams: ClassVar[bool] = True

    cutmix: float = field(metadata=c.probability())  # of a box from the next image
    # range of its share of the image
    cutmix_area: tuple[float, float] = field(metadata=c.area_range())
    strong: c.PhotometricConfig  # the strong views; their geometry is that of views.unlabeled


class Target(NamedTuple):
    """What a strong view is taught.

    Attributes:
      labels: class ids `[B, H, W]`.
      weight: of each pixel in the loss, `[B, H, W]`.
    """

    labels: jax.Array
    weight: jax.Array


def confident(probabilities: jax.Array, limits: jax.Array) -> Target:
    """The most probable class; weight 1 where its probability reaches its class's limit `[C]`."""
    labels = probabilities.argmax(-1).astype(jnp.int32)
    kept = probabilities.max(-1) >= limits[labels]
    return Target(labels, kept.astype(probabilities.dtype))


def strong_names(count: int) -> tuple[str, ...]:
    return tuple(f"strong_{number}" for number in range(count))


def make_views(
    config: Config, options: StrongViewsConfig, names: Sequence[str], *, labeled_boxes: bool
) -> Views:
    """`labeled`, `weak` and the named strong views.

    Each strong view has `box`, its CutMix mask, and, with `labeled_boxes`, `paste`, the mask of a
    box from a labeled image.
    """
    draw = view_lib.weak_and_strong(config, options.strong, names)

    def views(key: jax.Array, batch: Tree) -> Tree:
        made: Tree = draw(key, batch)
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
    result = mixing.paste(boxes["box"], of_strong, mixing.next_images(of_strong))
    if of_labeled is None:
        return result
    box = boxes["paste"] if has_paste is None else boxes["paste"] & has_paste[:, None, None]
    return mixing.paste(box, result, of_labeled)
