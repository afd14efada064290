"""A loss that runs the network on views and computes one objective of its outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from uaps_jax.losses import ramps
from uaps_jax.methods import passes
from uaps_jax.methods.base import Hyperparameters, Inputs, Loss, Result, Write
from uaps_jax.models.interfaces import Outputs
from uaps_jax.models.network import Network
from uaps_jax.trees import Tree


class Seen(NamedTuple):
    """The inputs of an objective.

    Attributes:
      outputs: name of a view -> outputs of the network.
      views: of the step.
      state: before the step.
      keys: the extra random keys.
      step: 0-based.
      ramp: r(t), 1 for a method without a ramp.
      hyperparameters: of the method.
    """

    outputs: Mapping[str, Outputs]
    views: Tree
    state: Tree
    keys: Sequence[jax.Array]
    step: jax.Array
    ramp: jax.Array
    hyperparameters: Hyperparameters

    @property
    def labels(self) -> jax.Array:
        """Class ids of the labeled images `[B, H, W]`."""
        labels: jax.Array = self.views["labeled"]["mask"]
        return labels

    def logits(self, view: str) -> jax.Array:
        """`[K, B, H, W, C]` of a view."""
        return self.outputs[view].logits

    def ramped(self, name: str) -> jax.Array:
        """A hyperparameter times the ramp."""
        return self.hyperparameters[name] * self.ramp


class Term(NamedTuple):
    """The value of an objective.

    Attributes:
      loss: a scalar.
      metrics: its terms by name.
      state: entries of the state that the objective changes.
      writes: as of `Result`.
    """

    loss: jax.Array
    metrics: dict[str, jax.Array]
    state: Mapping[str, Any] = {}
    writes: Mapping[str, Write] = {}


class Objective(Protocol):
    """The loss of a step from the outputs of the network, a pure function."""

    def __call__(self, seen: Seen) -> Term: ...


Run = Callable[[Network, Tree, Tree, jax.Array, Tree], tuple[Mapping[str, Outputs], Tree]]
"""`(network, params, batch_stats, key, views)` to outputs by name and the new statistics."""


Prepare = Callable[[Tree, Inputs, Sequence[jax.Array]], Tree]
"""`(views, inputs, extra keys)` to all views."""


def show(
    *names: str,
    appended: Sequence[str] = (),
    forward: Callable[..., Any] | None = None,
    **options: Any,
) -> Run:
    """A `Run` of the named views.

    Args:
      *names: of the views.
      appended: names of the outputs that `forward` has besides those of the views.
      forward: `passes.forward` if None.
      **options: of `forward`, such as `joint=True`.
    """

    def run(
        network: Network, params: Tree, batch_stats: Tree, key: jax.Array, views: Tree
    ) -> tuple[Mapping[str, Outputs], Tree]:
        images = (views[name]["image"] for name in names)
        take = forward or passes.forward
        outputs, stats = take(network, params, batch_stats, key, *images, **options)
        return dict(zip((*names, *appended), outputs, strict=True)), stats

    return run


def one_objective(
    network: Network,
    objective: Objective,
    *,
    run: Run | None = None,
    ramped: bool = True,
    extra_keys: int = 0,
    prepare: Prepare = lambda views, inputs, keys: views,
) -> Loss:
    """The loss that runs a network on views and computes an objective of its outputs.

    Args:
      network: of the method.
      objective: a function of the outputs.
      run: the forward passes; None for `show("labeled", "unlabeled")`.
      ramped: whether r(t) is the ramp of a `RampedConfig`; otherwise, and for a method without a
        ramp, it is 1.
      extra_keys: number of random keys for `prepare` and the objective.
      prepare: `(views, inputs, keys) -> views`, adds views that are computed from others.
    """
    run = run or show("labeled", "unlabeled")

    def loss(inputs: Inputs) -> Result:
        keys = list(jax.random.split(inputs.key, 1 + extra_keys)) if extra_keys else [inputs.key]
        views = prepare(inputs.views, inputs, keys[1:])
        outputs, stats = run(network, inputs.params, inputs.state["batch_stats"], keys[0], views)
        given = inputs.hyperparameters
        has_ramp = ramped and "ramp_length" in given
        ramp = ramp_of(inputs.step, given) if has_ramp else jnp.ones(())
        term = objective(Seen(outputs, views, inputs.state, keys[1:], inputs.step, ramp, given))
        state = {**inputs.state, "batch_stats": stats, **term.state}
        return Result(term.loss, state, {"ramp": ramp, **term.metrics}, term.writes)

    return loss


def ramp_of(step: jax.Array, hyperparameters: Hyperparameters) -> jax.Array:
    """r(t) of a `RampedConfig`."""
    return ramps.ramp_up(step, hyperparameters["ramp_interval"], hyperparameters["ramp_length"])
