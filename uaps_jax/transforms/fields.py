"""The arrays of one training image that are transformed together.

Fields are a mapping of names to arrays `[H, W, ...]` of one image: `image` `[H, W, C]`, float on
the 0..255 scale, and others per pixel, such as `mask` `[H, W]`, integer class ids, `weight`
`[H, W]` or `valid` `[H, W]`, boolean. A geometric transform applies to all of them: it
interpolates `image` and takes the nearest pixel of every other field.
"""

from __future__ import annotations

from collections.abc import Callable

import jax

from uaps_jax.labels import IGNORE

Fields = dict[str, jax.Array]
Transform = Callable[[jax.Array, Fields], Fields]
"""`(key, fields) -> fields` of one image; its settings are bound to it."""


def fill_value(name: str) -> int:
    """The value of a field at pixels outside the image: 255 in `mask`, else 0."""
    return IGNORE if name == "mask" else 0


def on_image(change: Callable[[jax.Array, jax.Array], jax.Array]) -> Transform:
    """The transform that changes `image` by `change(key, image)` and leaves the other fields."""
    return lambda key, fields: fields | {"image": change(key, fields["image"])}
