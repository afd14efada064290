"""What a method is: its streams, what a step gives it and takes from it, and how it predicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp

from uaps_jax.config import Config, ConfigError
from uaps_jax.models.network import Network
from uaps_jax.stream import Stream
from uaps_jax.trees import Tree

Hyperparameters = Mapping[str, jax.Array]
"""Name -> a float32 scalar: traced, so that a sweep over its values compiles once."""


def labeled_stream(config: Config) -> Stream:
    """Labeled images and their masks."""
    return Stream(pool="labeled", batch=config.train.batch_labeled, fields=("image", "mask"))


def unlabeled_stream(config: Config) -> Stream:
    """Unlabeled images."""
    return Stream(pool="unlabeled", batch=config.train.batch_unlabeled, fields=("image",))


class Inputs(NamedTuple):
    """What the loss of a step is computed from.

    Attributes:
      params: what the optimizer changes.
      state: the rest of what changes from step to step: batch statistics, a teacher.
      memory: arrays that are written row by row (`Write`) and read: banks of features, snapshots.
      views: what `Method.views` made.
      key: of this step's randomness.
      step: 0-based, int32.
      hyperparameters: `Method.hyperparameters`, traced.
    """

    params: Tree
    state: Tree
    memory: Tree
    views: Tree
    key: jax.Array
    step: jax.Array
    hyperparameters: Hyperparameters


class Write(NamedTuple):
    """Rows for an array of `memory`.

    Attributes:
      at: int32 `[M]`, where they go; an index behind the end drops its row.
      rows: `[M, ...]`.
    """

    at: jax.Array
    rows: jax.Array


class Result(NamedTuple):
    """What the loss of a step gives.

    Attributes:
      loss: a scalar.
      state: the new `Inputs.state`.
      metrics: name -> a scalar, logged.
      writes: name of an array of `memory` -> what is written into it after the step, unless the
        step is not finite.
    """

    loss: jax.Array
    state: Tree
    metrics: dict[str, jax.Array]
    writes: Mapping[str, Write] = {}


class PseudoLabels(NamedTuple):
    """The labels that a method would teach itself on some images, and who learns from them.

    Attributes:
      target: class ids `[B, H, W]`.
      kept: boolean `[B, H, W]`, the pixels on which the target teaches.
      student: class ids `[B, H, W]` that the learning network predicts itself.
    """

    target: jax.Array
    kept: jax.Array
    student: jax.Array


def all_kept(teacher: jax.Array, student: jax.Array) -> PseudoLabels:
    """Pseudo-labels from logits or probabilities `[B, H, W, C]`, none of which is left out."""
    target = teacher.argmax(-1)
    return PseudoLabels(target, jnp.ones_like(target, bool), student.argmax(-1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predictor:
    """A way to predict: the mean over the decoders of one or more networks, on clean features.

    Attributes:
      network: what each of them is.
      normalize: from images on the 0..255 scale to the networks' input.
      networks: `variables -> networks`, each `{"params", "batch_stats"}` with the decoders that
        take part.
      mean_of: "probabilities" or "logits".
    """

    network: Network
    normalize: Callable[[jax.Array], jax.Array]
    networks: Callable[[Tree], Sequence[Tree]]
    mean_of: str = "probabilities"

    def __call__(self, variables: Tree, images: jax.Array) -> jax.Array:
        """Probabilities `[B, H, W, C]` of images `[B, H, W, channels]` on the 0..255 scale."""
        x = self.normalize(images)
        heads = [self.network.all_logits(n, x, None) for n in self.networks(variables)]
        logits = jnp.concatenate(heads)
        if self.mean_of == "logits":
            return jax.nn.softmax(logits.mean(0))
        return jax.nn.softmax(logits).mean(0)


class Init(Protocol):
    """The start of a training."""

    def __call__(self, seed: int) -> tuple[Tree, Tree]:
        """`params` and `state`, as `Inputs` describes them."""


class Views(Protocol):
    """The augmentation of a step's images."""

    def __call__(
        self, key: jax.Array, batch: Tree, step: jax.Array, hyperparameters: Hyperparameters
    ) -> Tree:
        """Views of a batch, whatever the loss takes.

        Args:
          key: of this step's views.
          batch: stream -> `image` uint8 `[B, H, W, C]`, `mask` uint8 `[B, H, W]` where it is one
            of the stream's fields, `index` int32 `[B]`, the rows of the pool.
          step: 0-based.
          hyperparameters: of the method.
        """


class Loss(Protocol):
    """The loss of a step, differentiated by `inputs.params`."""

    def __call__(self, inputs: Inputs) -> Result:
        """A pure function of its inputs."""


class AfterUpdate(Protocol):
    """What changes once a step, after the optimizer."""

    def __call__(
        self, params: Tree, state: Tree, step: jax.Array, hyperparameters: Hyperparameters
    ) -> Tree:
        """The new state; `params` are the updated ones, `step` is that of the update."""


class FindPseudoLabels(Protocol):
    """The pseudo-labels of a method."""

    def __call__(
        self, variables: Tree, images: jax.Array, key: jax.Array, step: jax.Array
    ) -> PseudoLabels:
        """Of unlabeled images `[B, H, W, channels]` on the 0..255 scale, as at a step."""


class Uncertainty(Protocol):
    """The uncertainty of a prediction."""

    def __call__(self, variables: Tree, images: jax.Array, key: jax.Array) -> jax.Array:
        """`[B, H, W]` in nats, of images on the 0..255 scale; the key perturbs features."""


class Diagnostic(Protocol):
    """A measurement of the variables, taken at every evaluation."""

    def __call__(self, variables: Tree) -> Mapping[str, jax.Array]:
        """Name -> a scalar."""


def unchanged(params: Tree, state: Tree, step: jax.Array, hyperparameters: Hyperparameters) -> Tree:
    """An `AfterUpdate` that leaves the state as it is."""
    del params, step, hyperparameters
    return state


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method:
    """A way to learn, as pure functions. It owns no loop, no files and no random state.

    Attributes:
      streams: by name; a step draws a batch from each.
      hyperparameters: numbers that enter the step as traced inputs.
      init: params and state before the first step.
      views: the augmentation.
      loss: of a step.
      variables: `(params, state) -> variables`: what prediction needs and evaluation restores.
      predictors: by name; the first is the default.
      parameter_groups: the tree of `params` with names of groups in place of arrays
        (`Network.parameter_groups`).
      memory: the arrays of `Inputs.memory` before the first step.
      after_update: what changes after the optimizer.
      uncertainty: None leaves the entropy of the prediction.
      pseudo_labels: None for a method that teaches itself none.
      diagnostics: by name; logged as `<name>/<key>`.
    """

    streams: Mapping[str, Stream]
    hyperparameters: Mapping[str, float]
    init: Init
    views: Views
    loss: Loss
    variables: Callable[[Tree, Tree], Tree]
    predictors: Mapping[str, Predictor]
    parameter_groups: Callable[[Tree], Tree]
    memory: Callable[[], Tree] = dict
    after_update: AfterUpdate = unchanged
    uncertainty: Uncertainty | None = None
    pseudo_labels: FindPseudoLabels | None = None
    diagnostics: Mapping[str, Diagnostic] = dataclasses.field(default_factory=dict)

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
