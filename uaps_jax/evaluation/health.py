"""Metrics of the pseudo-labels on a fixed set of unlabeled images.

Masks of unlabeled images, if there are any, are used only here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax import compiler
from uaps_jax.data.source import Pool
from uaps_jax.evaluation import evaluate
from uaps_jax.labels import IGNORE
from uaps_jax.trees import Tree

ProbeFunction = Callable[..., Mapping[str, jax.Array]]


def make_probe_function(
    probe: Callable[..., tuple[jax.Array, ...]], classes: int, *, deterministic: bool = False
) -> ProbeFunction:
    """The jitted function `(variables, images, masks, count, key, step) -> counts` of pixels.

    Args:
      probe: `(variables, images, key, step) -> (target, kept, student)` (`Method.pseudo_labels`).
      classes: number of classes.
      deterministic: as in `compiler.jit_optimized`.
    """

    @functools.partial(compiler.jit_optimized, deterministic=deterministic)
    def probe_function(
        variables: Tree,
        images: jax.Array,
        masks: jax.Array,
        count: jax.Array,
        key: jax.Array,
        step: jax.Array,
    ) -> Mapping[str, jax.Array]:
        target, kept, student = probe(variables, images, key, step)
        real = jnp.broadcast_to((jnp.arange(len(images)) < count)[:, None, None], target.shape)
        kept = kept & real
        known = kept & (masks != IGNORE)
        per_class = [(kept & (target == c)).sum() for c in range(classes)]
        return {
            "kept": jnp.stack(per_class),
            "known": known.sum(),
            "right": (known & (target == masks)).sum(),
            "agreed": (real & (target == student)).sum(),
            "all": real.sum(),
        }

    return probe_function


def pseudo_label_metrics(
    probe_function: ProbeFunction,
    variables: Tree,
    pool: Pool,
    class_names: Sequence[str],
    batch_size: int,
    key: jax.Array,
    step: int,
) -> dict[str, float]:
    """Metrics of the pseudo-labels on a pool, in percent.

    * `kept/<class>`: kept pixels with this pseudo-label, of all pixels; `kept` is the sum.
    * `accuracy`: of the kept pixels that have a label in the mask; NaN if there are none.
    * `agreement`: pixels on which the student predicts the pseudo-label, of all pixels.
    """
    totals: dict[str, np.ndarray] = {}
    for number, (images, masks, count) in enumerate(evaluate.batches(pool, batch_size)):
        batch_key = jax.random.fold_in(key, number)
        counts = probe_function(variables, images, masks, count, batch_key, step)
        for name, value in counts.items():
            totals[name] = totals.get(name, np.int64(0)) + np.asarray(value, np.int64)
    pixels, known = int(totals["all"]), int(totals["known"])
    shares = 100 * totals["kept"] / pixels
    return {
        "kept": float(shares.sum()),
        "accuracy": 100 * int(totals["right"]) / known if known else float("nan"),
        "agreement": 100 * int(totals["agreed"]) / pixels,
        **{f"kept/{name}": float(s) for name, s in zip(class_names, shares, strict=True)},
    }


def class_shares(masks: Iterable[np.ndarray], class_names: Sequence[str]) -> dict[str, float]:
    """The percentage of each class in the labeled pixels of some masks."""
    counts = np.zeros(len(class_names), np.int64)
    for mask in masks:
        counts += np.bincount(mask[mask != IGNORE], minlength=len(class_names))
    shares = 100 * counts / max(int(counts.sum()), 1)
    return {name: float(share) for name, share in zip(class_names, shares, strict=True)}
