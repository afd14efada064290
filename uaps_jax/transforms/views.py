"""Views: lists of random transforms that are applied to each image of a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from uaps_jax.transforms.fields import Fields, Transform
from uaps_jax.transforms.keys import image_keys, named

SPLIT = ("flip", "brightness and contrast", "blur", "quarter turn", "noise")
"""Steps whose keys are split from the image's key; all others fold in the crc32 of their name."""


class Step(NamedTuple):
    """One transform of a view.

    Attributes:
      name: its random key is made from it; unique in a view.
      transform: of one image.
      geometric: whether all views of an image share its random values.
    """

    name: str
    transform: Transform
    geometric: bool = False


View = tuple[Step, ...]


def draw(key: jax.Array, fields: Fields, view: View, name: str = "") -> Fields:
    """Draws one view of each image, applying the steps in order.

    The key of image b is `fold_in(key, b)`: its view does not depend on the batch size or the
    sharding.

    Args:
      key: of this training step and stream.
      fields: of a batch, `[B, H, W, ...]` each: `image`, uint8 or float, and any others.
      view: the steps.
      name: of a further view of the same images, such as "strong": with the same key it has the
        same geometry (if both views have the same geometric steps) and other random values in all
        other steps.

    Returns:
      The same fields; `image` is float32 on the 0..255 scale, the others keep their types.

    Raises:
      ValueError: two steps have the same name.
    """
    check_names(view)

    def one(key: jax.Array, fields: Fields) -> Fields:
        shared = step_keys(key)
        own = step_keys(named(key, name)) if name else shared
        fields = fields | {"image": fields["image"].astype(jnp.float32)}
        for step in view:
            fields = step.transform((shared if step.geometric else own)(step.name), fields)
        return fields

    return jax.vmap(one)(image_keys(key, len(fields["image"])), fields)


def check_names(view: View) -> None:
    """Checks that the names of the steps differ.

    Raises:
      ValueError: two steps have the same name.
    """
    for name, count in Counter(step.name for step in view).items():
        if count > 1:
            raise ValueError(
                f"a view has {count} steps with the name {name!r}, and the random key of a step is "
                "made from its name: give each step a name of its own"
            )


def step_keys(key: jax.Array) -> Callable[[str], jax.Array]:
    """Name of a step -> its key, from the key of its image."""
    split = dict(zip(SPLIT, jax.random.split(key, len(SPLIT)), strict=True))
    return lambda name: split[name] if name in split else named(key, name)


def normalize(
    images: jax.Array, mean: tuple[float, ...], std: tuple[float, ...], dtype: jnp.dtype
) -> jax.Array:
    """(x / 255 - mean) / std per channel: `[..., C]` on the 0..255 scale to `dtype`."""
    wide = jnp.promote_types(dtype, jnp.float32)
    shape = (1,) * (images.ndim - 1) + (-1,)
    x = images.astype(wide) / 255
    x = (x - jnp.asarray(mean, wide).reshape(shape)) / jnp.asarray(std, wide).reshape(shape)
    return x.astype(dtype)
