"""What a method is, and the pieces that methods share."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from uaps_jax.config import Config, ConfigError, RampedConfig
from uaps_jax.losses import ramps, uncertainty
from uaps_jax.models.unet import Outputs, UNet, UNetConfig, main_alone
from uaps_jax.transforms import build as build_views
from uaps_jax.transforms import views as view_lib
from uaps_jax.transforms.fields import Fields
from uaps_jax.trees import Tree


class Probe(NamedTuple):
    """The pseudo-labels of some images, and who follows them.

    Attributes:
      target: class ids `[B, H, W]`.
      kept: boolean `[B, H, W]`, the pixels on which the target teaches.
      student: class ids `[B, H, W]` that the learning part predicts itself.
    """

    target: jax.Array
    kept: jax.Array
    student: jax.Array


def hard_probe(teacher: jax.Array, student: jax.Array) -> Probe:
    """A probe of logits or probabilities `[B, H, W, C]` whose labels are all kept."""
    target = teacher.argmax(-1)
    return Probe(target, jnp.ones_like(target, bool), student.argmax(-1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predictor:
    """A way to predict: the mean over the decoders of one or more networks, on clean features.

    Attributes:
      model: what each network is.
      normalize: from images on the 0..255 scale to the networks' input.
      networks: `variables -> networks`, each `{"params", "batch_stats"}` with the decoders that
        take part.
      mean_of: "probabilities" or "logits".
    """

    model: UNet
    normalize: Callable[[jax.Array], jax.Array]
    networks: Callable[[Tree], Sequence[Tree]]
    mean_of: str = "probabilities"

    def __call__(self, variables: Tree, images: jax.Array) -> jax.Array:
        """Probabilities `[B, H, W, C]` of images `[B, H, W, channels]` on the 0..255 scale."""
        x = self.normalize(images)
        heads = [self.model.all_logits(n, x, None) for n in self.networks(variables)]
        logits = jnp.concatenate(heads)
        if self.mean_of == "logits":
            return jax.nn.softmax(logits.mean(0))
        return jax.nn.softmax(logits).mean(0)


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
      predictors: by name; the first is the default.
      uncertainty: `(variables, images, key) -> [B, H, W]` in nats, or None.
      probe: `(variables, images, key, step) -> Probe`, the labels that the method would teach
        itself on unlabeled images at a step; None for one that does not.
      averaged: `variables -> (teacher, student)`, parameters of which the first are a moving
        average of the second; None for a method without a teacher.
    """

    streams: Mapping[str, str]
    weights: Mapping[str, float]
    init: Callable[[int], tuple[Tree, Tree]]
    views: Callable[[jax.Array, Tree], Tree]
    loss: Callable[..., tuple[jax.Array, tuple[Tree, Tree]]]
    after_update: Callable[[Tree, Tree, jax.Array], Tree]
    variables: Callable[[Tree, Tree], Tree]
    predictors: Mapping[str, Predictor]
    uncertainty: Callable[[Tree, jax.Array, jax.Array], jax.Array] | None
    probe: Callable[[Tree, jax.Array, jax.Array, jax.Array], Probe] | None
    averaged: Callable[[Tree], tuple[Tree, Tree]] | None

    def predictor(self, name: str) -> Predictor:
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


def build_model(config: Config, *, variance: bool = False) -> UNet:
    """The network that `config.network` describes, with a variance head or without.

    Raises:
      ConfigError: float64 was asked for, and JAX is not set up for it.
    """
    model = config.network
    assert isinstance(model, UNetConfig)
    if model.dtype == "float64" and not jax.config.read("jax_enable_x64"):
        raise ConfigError("network.dtype = 'float64': set JAX_ENABLE_X64=1 for it")
    return UNet(
        channels=config.data.channels,
        classes=config.data.classes,
        auxiliary=model.auxiliary,
        widths=model.widths,
        rates=model.dropout,
        noise_limit=model.noise_limit,
        dropout_rate=model.perturb_dropout,
        feature_dropout_range=model.feature_dropout,
        variance=variance,
        execution="vmapped",
        dtype=jnp.dtype(model.dtype),
    )


def normalizer(config: Config) -> Callable[[jax.Array], jax.Array]:
    """Images on the 0..255 scale to the network's input."""
    data, dtype = config.data, jnp.dtype(config.network.dtype)
    return lambda images: view_lib.normalize(images, data.mean, data.std, dtype)


def stream_key(key: jax.Array, stream: str) -> jax.Array:
    """The key of a stream's views, made from its name: all methods see the same labeled views."""
    return jax.random.fold_in(key, zlib.crc32(stream.encode()))


def draw_view(key: jax.Array, batch: Tree, view: view_lib.View, name: str = "") -> Fields:
    """A view of one stream's images on the 0..255 scale, with their fields; the mask is int32."""
    fields = {field: x for field, x in batch.items() if field != "index"}
    drawn = view_lib.draw(key, fields, view, name)
    return drawn | {"mask": drawn["mask"].astype(jnp.int32)} if "mask" in drawn else drawn


def weak_views(config: Config, streams: Mapping[str, str]) -> Callable[[jax.Array, Tree], Tree]:
    """One weak view of each stream: `{stream: {"image": normalised, "mask": ...}}`."""
    normalize = normalizer(config)
    of_pool = {
        "labeled": build_views.view(config.views.labeled),
        "unlabeled": build_views.view(config.views.unlabeled),
    }

    def views(key: jax.Array, batch: Tree) -> Tree:
        made: dict[str, Fields] = {}
        for stream in sorted(batch):
            drawn = draw_view(stream_key(key, stream), batch[stream], of_pool[streams[stream]])
            made[stream] = drawn | {"image": normalize(drawn["image"])}
        return made

    return views


def ramp_weights(options: RampedConfig) -> dict[str, float]:
    """The entries of `Method.weights` that `ramp` reads."""
    return {"ramp_interval": options.ramp_interval, "ramp_length": options.ramp_length}


def ramp(step: jax.Array, weights: Mapping[str, jax.Array]) -> jax.Array:
    """r(t) of a method whose weights have `ramp_weights`."""
    return ramps.ramp_up(step, weights["ramp_interval"], weights["ramp_length"])


def interleave(*batches: jax.Array) -> jax.Array:
    """G batches `[B, ...]` to one `[G B, ...]`: row 0 of each, row 1 of each, ...

    A batch sharded over devices stays where it is; a concatenation would move parts of it.
    """
    stacked = jnp.stack(batches, axis=1)
    return stacked.reshape(-1, *stacked.shape[2:])


def separate(joined: jax.Array, groups: int) -> jax.Array:
    """Undoes `interleave`: `[G B, ...]` to `[G, B, ...]`."""
    return jnp.moveaxis(joined.reshape(-1, groups, *joined.shape[1:]), 1, 0)


def forward(
    model: UNet, params: Tree, batch_stats: Tree, key: jax.Array, *batches: jax.Array
) -> tuple[Outputs, Tree]:
    """All heads on several batches in one pass, as if they came one after the other.

    Returns:
      The outputs with the batches in front, logits `[G, K, B, H, W, C]`, and the new statistics.
    """
    groups = len(batches)
    variables = {"params": params, "batch_stats": batch_stats}
    outputs, stats = model.train_outputs(variables, interleave(*batches), key, groups=groups)
    apart = jax.vmap(lambda heads: separate(heads, groups), out_axes=1)
    return jax.tree.map(apart, outputs), stats


def heads_uncertainty(
    config: Config, model: UNet, *, perturb: bool
) -> Callable[[Tree, jax.Array, jax.Array], jax.Array]:
    """`Method.uncertainty` of a network with several heads: their mean KL to their mean."""
    normalize = normalizer(config)

    def doubt(variables: Tree, images: jax.Array, key: jax.Array) -> jax.Array:
        logits = model.all_logits(variables, normalize(images), key if perturb else None)
        return uncertainty.kl_to_mean(logits).mean(0)

    return doubt


def single_network(config: Config, model: UNet) -> dict[str, Any]:
    """The fields of a `Method` that trains one network with one or more heads.

    Predictors: `main`, the first decoder alone, and `ensemble`, the mean probability of all
    decoders on clean features, where there are auxiliary ones.
    """

    def init(seed: int) -> tuple[Tree, Tree]:
        variables = model.init(seed)
        return variables["params"], {"batch_stats": variables["batch_stats"]}

    def predictor(networks: Callable[[Tree], Sequence[Tree]]) -> Predictor:
        return Predictor(model=model, normalize=normalizer(config), networks=networks)

    predictors = {"main": predictor(lambda variables: [main_alone(variables)])}
    if model.auxiliary:
        predictors["ensemble"] = predictor(lambda variables: [variables])
    return {
        "init": init,
        "after_update": lambda params, state, step: state,
        "variables": lambda params, state: {"params": params, "batch_stats": state["batch_stats"]},
        "predictors": predictors,
        "averaged": None,
    }
