"""What a method is, and the pieces that methods share."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from uaps_jax.config import Config, ConfigError, ViewConfig
from uaps_jax.models.unet import UNet
from uaps_jax.transforms import views as view_lib
from uaps_jax.trees import Tree


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method:
    """A way to learn, as pure functions. It owns no loop, no files and no random state.

    Attributes:
      streams: name of each stream of images a step draws from, and its pool, "labeled" or
        "unlabeled".
      weights: numbers that enter the loss as traced inputs: a sweep over them compiles once.
      init: `seed -> (params, state)`. `params` is what the optimizer sees; `state` the rest
        (batch statistics, teachers, banks).
      views: `(key, batch) -> views`. `batch[stream]` holds `image` uint8 `[B, H, W, C]`, `mask`
        uint8 `[B, H, W]` (labeled pools only) and `index` `[B]`.
      loss: `(params, state, views, key, step, weights) -> (scalar, (state, measurements))`.
      after_update: `(params, state, step) -> state`, once per step, on the updated parameters.
      variables: `(params, state) -> variables`: what prediction needs and evaluation restores.
      predictors: name -> `(variables, images) -> probabilities [B, H, W, C]`; the first is the
        default. `images` are uint8 or float on the 0..255 scale.
      uncertainty: `(variables, images, key) -> [B, H, W]` in nats, or None.
    """

    streams: Mapping[str, str]
    weights: Mapping[str, float]
    init: Callable[[int], tuple[Tree, Tree]]
    views: Callable[[jax.Array, Tree], Tree]
    loss: Callable[..., tuple[jax.Array, tuple[Tree, Tree]]]
    after_update: Callable[[Tree, Tree, jax.Array], Tree]
    variables: Callable[[Tree, Tree], Tree]
    predictors: Mapping[str, Callable[[Tree, jax.Array], jax.Array]]
    uncertainty: Callable[[Tree, jax.Array, jax.Array], jax.Array] | None

    def predictor(self, name: str) -> Callable[[Tree, jax.Array], jax.Array]:
        """The predictor of that name; the first for `""`.

        Raises:
          ConfigError: no such predictor.
        """
        name = name or next(iter(self.predictors))
        if name not in self.predictors:
            raise ConfigError(
                f"evaluation.predictor = {name!r}: must be one of {', '.join(self.predictors)}"
            )
        return self.predictors[name]


def build_model(config: Config) -> UNet:
    """The network that `config.model` describes.

    Raises:
      ConfigError: float64 was asked for, and JAX is not set up for it.
    """
    model = config.model
    if model.dtype == "float64" and not jax.config.read("jax_enable_x64"):
        raise ConfigError("model.dtype = 'float64': set JAX_ENABLE_X64=1 for it")
    return UNet(
        channels=config.data.channels,
        classes=config.data.classes,
        auxiliary=model.auxiliary,
        widths=model.widths,
        rates=model.dropout,
        noise_limit=model.noise_limit,
        dropout_rate=model.perturb_dropout,
        feature_dropout_range=model.feature_dropout,
        dtype=jnp.dtype(model.dtype),
    )


def view_policy(config: ViewConfig) -> view_lib.Policy:
    """The policy that a view's settings describe."""
    return view_lib.Policy(
        **{field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    )


def normalizer(config: Config) -> Callable[[jax.Array], jax.Array]:
    """Images on the 0..255 scale to the network's input."""
    data, dtype = config.data, jnp.dtype(config.model.dtype)
    return lambda images: view_lib.normalize(images, data.mean, data.std, dtype)


def weak_views(config: Config, streams: Mapping[str, str]) -> Callable[[jax.Array, Tree], Tree]:
    """One weak view of each stream: `{stream: {"image": normalised, "mask": ...}}`.

    A stream's key is made from its name: the labeled views of all methods are the same.
    """
    normalize = normalizer(config)
    policies = {
        "labeled": view_policy(config.views.labeled),
        "unlabeled": view_policy(config.views.unlabeled),
    }

    def views(key: jax.Array, batch: Tree) -> Tree:
        made: dict[str, Any] = {}
        for stream in sorted(batch):
            images = batch[stream]["image"]
            masks = batch[stream].get("mask")
            blank = jnp.zeros(images.shape[:3], jnp.uint8)
            image, mask = view_lib.weak_view(
                jax.random.fold_in(key, zlib.crc32(stream.encode())),
                images,
                blank if masks is None else masks,
                policies[streams[stream]],
            )
            made[stream] = {"image": normalize(image)}
            if masks is not None:
                made[stream]["mask"] = mask.astype(jnp.int32)
        return made

    return views


def single_network(config: Config, model: UNet) -> dict[str, Any]:
    """The fields of a `Method` that trains one network with one or more heads.

    Predictors: `main`, the first decoder alone, and `ensemble`, the mean probability of all
    decoders on clean features, where there are auxiliary ones.
    """
    normalize = normalizer(config)

    def init(seed: int) -> tuple[Tree, Tree]:
        variables = model.init(seed)
        return variables["params"], {"batch_stats": variables["batch_stats"]}

    def main(variables: Tree, images: jax.Array) -> jax.Array:
        return jax.nn.softmax(model.main_logits(variables, normalize(images)))

    def ensemble(variables: Tree, images: jax.Array) -> jax.Array:
        return jax.nn.softmax(model.all_logits(variables, normalize(images), None)).mean(0)

    return {
        "init": init,
        "after_update": lambda params, state, step: state,
        "variables": lambda params, state: {"params": params, "batch_stats": state["batch_stats"]},
        "predictors": {"main": main, **({"ensemble": ensemble} if model.auxiliary else {})},
    }
