"""Metrics of an evaluation besides the scores, and the warnings and watchdogs of a run."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import jax

from uaps_jax.config import Config
from uaps_jax.data import absent_classes
from uaps_jax.evaluation import health, watchdogs
from uaps_jax.methods.base import Method
from uaps_jax.training import processes
from uaps_jax.training.pools import TrainingPools
from uaps_jax.trees import Tree

PSEUDO_LABELS = "probe"
"""Prefix of the metrics of pseudo-labels."""

Examine = Callable[[Tree, int], dict[str, dict[str, float]]]
"""`(variables, steps done)` to prefix -> metrics."""


def make_examine_function(
    method: Method, config: Config, pools: TrainingPools, class_names: Sequence[str]
) -> Examine:
    """Diagnostics of the method and, if there is a probe pool, metrics of its pseudo-labels."""
    diagnostics = {name: jax.jit(function) for name, function in method.diagnostics.items()}
    key = jax.random.fold_in(jax.random.key(config.train.seed), zlib.crc32(b"probe"))
    probe = None
    if method.pseudo_labels is not None:
        probe = health.make_probe_function(
            method.pseudo_labels, config.data.classes, deterministic=config.train.deterministic
        )

    def examine(variables: Tree, done: int) -> dict[str, dict[str, float]]:
        metrics = {
            name: {key: float(value) for key, value in function(variables).items()}
            for name, function in diagnostics.items()
        }
        if probe is not None and pools.probe is not None:
            metrics[PSEUDO_LABELS] = health.pseudo_label_metrics(
                probe,
                variables,
                pools.probe,
                class_names,
                config.evaluation.batch_size,
                key,
                done - 1,
            )
        return metrics

    return examine


def warnings_of_labels(pools: TrainingPools) -> list[str]:
    """The warnings before the first step; none in processes that do not write.

    Masks are counted as the network sees them: a defect can be lost when its image is resized.
    """
    _, *defects = pools.labeled_shares or ("",)
    absent = [name for name in defects if not pools.labeled_shares[name]]
    if not absent or not processes.is_first():
        return []
    warning = absent_classes.warning(absent, len(pools.train["labeled"].names))
    return [f"{warning} The audit says whether it is lost at the network's size."]


def watchdogs_of(method: Method, pools: TrainingPools) -> list[watchdogs.Watchdog]:
    """The watchdogs of a run of this method; none in processes that do not write."""
    if not processes.is_first():
        return []
    chosen: list[watchdogs.Watchdog] = [watchdogs.ValidationScore("image_dice")]
    if method.pseudo_labels is not None and pools.probe is not None:
        chosen.append(watchdogs.PseudoLabels(pools.labeled_shares))
    known = watchdogs.OF_DIAGNOSTICS
    return chosen + [known[name]() for name in method.diagnostics if name in known]
