"""The interface of a method."""

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
"""Name of a setting -> its value, float32, `[]` or `[n]`: traced, so that a sweep compiles once."""


def labeled_stream(config: Config, *, weighted: bool = False) -> Stream:
    """Labeled images with their masks and, of `data.targets`, weights of their pixels."""
    fields = ("image", "mask", "weight") if weighted else ("image", "mask")
    return Stream(pool="labeled", batch=config.train.batch_labeled, fields=fields)


def unlabeled_stream(config: Config, *targets: str) -> Stream:
    """Unlabeled images and, of `data.targets`, `mask` and `weight` where they are named."""
    fields = ("image", *targets)
    return Stream(pool="unlabeled", batch=config.train.batch_unlabeled, fields=fields)


class Inputs(NamedTuple):
    """The inputs of the loss of a step.

    Attributes:
      params: updated by the optimizer.
      state: other trees that change every step: batch statistics, a teacher.
      memory: arrays that are written row by row (`Write`): banks of features, snapshots.
      views: the result of `Method.views`.
      key: random key of this step.
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
    """Rows to write into an array of `memory`.

    Attributes:
      at: int32 `[M]`, different row indices; an index outside the array drops its row.
      rows: `[M, ...]`.
    """

    at: jax.Array
    rows: jax.Array


class Result(NamedTuple):
    """The result of the loss of a step.

    Attributes:
      loss: a scalar.
      state: the new `Inputs.state`.
      metrics: name -> a scalar, logged.
      writes: name of an array of `memory` -> rows to write after the step; skipped if the step is
        not finite.
    """

    loss: jax.Array
    state: Tree
    metrics: dict[str, jax.Array]
    writes: Mapping[str, Write] = {}


class PseudoLabels(NamedTuple):
    """The pseudo-labels of some images.

    Attributes:
      target: class ids `[B, H, W]`.
      kept: boolean `[B, H, W]`, the pixels whose target enters the loss.
      student: class ids `[B, H, W]`, the prediction of the network that is trained with them.
    """

    target: jax.Array
    kept: jax.Array
    student: jax.Array


def all_kept(teacher: jax.Array, student: jax.Array) -> PseudoLabels:
    """Pseudo-labels from logits or probabilities `[B, H, W, C]`, with all pixels kept."""
    target = teacher.argmax(-1)
    return PseudoLabels(target, jnp.ones_like(target, bool), student.argmax(-1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Predictor:
    """A prediction: the mean over the decoders of one or more networks, on clean features.

    Attributes:
      network: the architecture.
      normalize: images on the 0..255 scale to the input of the networks.
      networks: `variables -> networks`, each `{"params", "batch_stats"}` with the decoders to
        average.
      mean_of: "probabilities" or "logits".
    """

    network: Network
    normalize: Callable[[jax.Array], jax.Array]
    networks: Callable[[Tree], Sequence[Tree]]
    mean_of: str = "probabilities"

    def __call__(self, variables: Tree, images: jax.Array) -> jax.Array:
        """Probabilities `[B, H, W, C]` of images `[B, H, W, channels]` on the 0..255 scale."""
        logits = self.logits(variables, images, None)
        if self.mean_of == "logits":
            return jax.nn.softmax(logits.mean(0))
        return jax.nn.softmax(logits).mean(0)

    def logits(self, variables: Tree, images: jax.Array, key: jax.Array | None) -> jax.Array:
        """Logits `[K, B, H, W, C]` of the K decoders; a key is for perturbed features."""
        x = self.normalize(images)
        return jnp.concatenate(
            [self.network.all_logits(n, x, key) for n in self.networks(variables)]
        )


class Init(Protocol):
    """The initial variables."""

    def __call__(self, seed: int) -> tuple[Tree, Tree]:
        """`params` and `state` of `Inputs`."""


class Views(Protocol):
    """The augmentation of a step's images."""

    def __call__(self, key: jax.Array, batch: Tree) -> Tree:
        """Views of a batch, in the form that the loss takes.

        Args:
          key: random key of this step's views.
          batch: stream -> `image` uint8 `[B, H, W, C]`, `mask` and `weight` uint8 `[B, H, W]` if
            they are among the stream's fields, `index` int32 `[B]`, the rows of the pool.
        """


class Loss(Protocol):
    """The loss of a step, differentiated by `inputs.params`."""

    def __call__(self, inputs: Inputs) -> Result:
        """A pure function of its inputs."""


class AfterUpdate(Protocol):
    """The update of the state after the optimizer's update."""

    def __call__(
        self, params: Tree, state: Tree, step: jax.Array, hyperparameters: Hyperparameters
    ) -> Tree:
        """The new state; `params` are the updated ones, `step` is that of the update."""


class FindPseudoLabels(Protocol):
    """The pseudo-labels of a method."""

    def __call__(
        self, variables: Tree, images: jax.Array, key: jax.Array, step: jax.Array
    ) -> PseudoLabels:
        """Pseudo-labels of images `[B, H, W, channels]` on the 0..255 scale, as at step `step`."""


class UncertaintyKind(NamedTuple):
    """What an uncertainty is.

    Attributes:
      name: for titles.
      unit: "" for none.
      white: the value that is white in a picture, with all above.
    """

    name: str
    unit: str
    white: float


class Uncertainty(Protocol):
    """The uncertainty of a prediction; its `kind`, an `UncertaintyKind`, may be left out."""

    def __call__(self, variables: Tree, images: jax.Array, key: jax.Array) -> jax.Array:
        """`[B, H, W]`, of images on the 0..255 scale; the key is for perturbations."""


class Diagnostic(Protocol):
    """Metrics of the variables, computed at every evaluation."""

    def __call__(self, variables: Tree) -> Mapping[str, jax.Array]:
        """Name -> a scalar."""


def unchanged(params: Tree, state: Tree, step: jax.Array, hyperparameters: Hyperparameters) -> Tree:
    """An `AfterUpdate` that leaves the state as it is."""
    return state


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method:
    """A method as pure functions. It has no loop, no files and no random state.

    Attributes:
      streams: by name; a step draws a batch from each.
      hyperparameters: numbers that are traced inputs of the step.
      init: params and state before the first step.
      views: the augmentation.
      loss: of a step.
      variables: `(params, state) -> variables` for prediction; evaluation restores only these.
      predictors: by name; the first is the default.
      parameter_groups: the tree of `params` with the name of its group in place of each array
        (`Network.parameter_groups`).
      memory: the arrays of `Inputs.memory` before the first step.
      after_update: updates the state after the optimizer.
      uncertainty: None for the entropy of the prediction; those in
        `methods/uncertainties.py` can be exported.
      pseudo_labels: None for a method without pseudo-labels.
      diagnostics: by name; logged as `<name>/<key>`.
    """

    streams: Mapping[str, Stream]
    hyperparameters: Mapping[str, float | tuple[float, ...]]
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
