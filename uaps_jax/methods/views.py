"""The views of a step from the settings of a run."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from uaps_jax.config import Config, PhotometricConfig
from uaps_jax.methods.base import Views
from uaps_jax.stream import Stream
from uaps_jax.transforms import build as build_views
from uaps_jax.transforms import views as view_lib
from uaps_jax.transforms.fields import Fields
from uaps_jax.trees import Tree


def normalizer(config: Config) -> Callable[[jax.Array], jax.Array]:
    """A function from images on the 0..255 scale to the network's input."""
    data, dtype = config.data, jnp.dtype(config.network.dtype)
    return lambda images: view_lib.normalize(images, data.mean, data.std, dtype)


def stream_key(key: jax.Array, stream: str) -> jax.Array:
    """The key of a stream's views; it depends on the name only, so all methods share views."""
    return jax.random.fold_in(key, zlib.crc32(stream.encode()))


def draw_view(key: jax.Array, batch: Tree, view: view_lib.View, name: str = "") -> Fields:
    """A view of one stream's images on the 0..255 scale, with their fields.

    The mask is int32, the weight float32 from 0 to 1.
    """
    fields = {field: x for field, x in batch.items() if field != "index"}
    drawn = view_lib.draw(key, fields, view, name)
    if "mask" in drawn:
        drawn["mask"] = drawn["mask"].astype(jnp.int32)
    if "weight" in drawn:
        drawn["weight"] = drawn["weight"].astype(jnp.float32) / 255
    return drawn


def weak_views(config: Config, streams: Mapping[str, Stream]) -> Views:
    """One weak view of each stream: `{stream: {"image": normalised, "mask": ...}}`."""
    normalize = normalizer(config)
    of_pool = {
        "labeled": build_views.view(config.views.labeled),
        "unlabeled": build_views.view(config.views.unlabeled),
    }

    def views(key: jax.Array, batch: Tree) -> Tree:
        made: dict[str, Fields] = {}
        for name in sorted(batch):
            view = of_pool[streams[name].pool]
            drawn = draw_view(stream_key(key, name), batch[name], view)
            made[name] = drawn | {"image": normalize(drawn["image"])}
        return made

    return views


def weak_and_strong(
    config: Config, strong: PhotometricConfig, names: Sequence[str]
) -> Callable[[jax.Array, Tree], dict[str, Fields]]:
    """A function `(key, batch) -> fields` of the views of both streams, normalised.

    The views are `labeled`, `weak` and, for each name, one with the geometry of `weak` and the
    photometric changes `strong`.
    """
    normalize = normalizer(config)
    labeled = build_views.view(config.views.labeled)
    weak = build_views.view(config.views.unlabeled)
    changed = build_views.view(config.views.unlabeled, strong)

    def draw_all(key: jax.Array, batch: Tree) -> dict[str, Fields]:
        unlabeled_key = stream_key(key, "unlabeled")
        drawn = {
            "labeled": draw_view(stream_key(key, "labeled"), batch["labeled"], labeled),
            "weak": draw_view(unlabeled_key, batch["unlabeled"], weak),
        }
        for name in names:
            drawn[name] = draw_view(unlabeled_key, batch["unlabeled"], changed, name)
        return {n: fields | {"image": normalize(fields["image"])} for n, fields in drawn.items()}

    return draw_all
