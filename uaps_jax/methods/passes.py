"""Forward passes of several batches in training mode."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from uaps_jax.models.interfaces import Change, Outputs, Pyramid
from uaps_jax.models.network import Network
from uaps_jax.trees import Tree


def forward(
    network: Network,
    params: Tree,
    batch_stats: Tree,
    key: jax.Array,
    *batches: jax.Array,
    joint: bool = False,
    change: Change | None = None,
) -> tuple[list[Outputs], Tree]:
    """All decoders on batches `[B, H, W, C]`, in order.

    Batches of one shape share a pass as batch parts, each with its own batch statistics and
    perturbations, or `joint`, with common ones. Otherwise there is a pass per batch.

    Args:
      network: to run.
      params: of the network.
      batch_stats: likewise.
      key: for dropout, the perturbations and `change`.
      *batches: normalised images.
      joint: whether all batches have common batch statistics; needs batches of one shape.
      change: of the encoder's pyramid, whose levels are `[B, parts, H, W, C]`; likewise. It may
        append parts, with `joint`.

    Returns:
      The outputs of every batch and of the parts that `change` appended, and the new statistics.
    """
    if len({batch.shape for batch in batches}) == 1:
        variables = {"params": params, "batch_stats": batch_stats}
        parts = len(batches)
        outputs, stats = network.train_outputs(
            variables,
            interleave(*batches),
            key,
            parts=1 if joint else parts,
            change=None if change is None else in_parts(change, parts),
        )
        parts = outputs.logits.shape[1] // len(batches[0])
        return [separate(outputs, part, parts) for part in range(parts)], stats
    if joint or change is not None:
        raise ValueError("joint statistics and a change need batches of one shape")
    all_outputs = []
    for number, batch in enumerate(batches):
        variables = {"params": params, "batch_stats": batch_stats}
        batch_key = jax.random.fold_in(key, number)
        outputs, batch_stats = network.train_outputs(variables, batch, batch_key)
        all_outputs.append(outputs)
    return all_outputs, batch_stats


def interleave(*batches: jax.Array) -> jax.Array:
    """P batches `[B, ...]` to one `[P B, ...]`: row 0 of each, row 1 of each, ...

    A batch sharded over devices stays where it is; a concatenation would move parts of it.
    """
    stacked = jnp.stack(batches, axis=1)
    return stacked.reshape(-1, *stacked.shape[2:])


def in_parts(change: Change, parts: int) -> Change:
    """The change of interleaved levels `[B * parts, ...]`, from one of levels `[B, parts, ...]`."""

    def interleaved(key: jax.Array, pyramid: Pyramid) -> Pyramid:
        levels = [z.reshape(-1, parts, *z.shape[1:]) for z in pyramid]
        changed = change(key, levels)
        return [z.reshape(-1, *z.shape[2:]) for z in changed]

    return interleaved


def separate(outputs: Outputs, part: int, parts: int) -> Outputs:
    """The outputs `[K, B, ...]` of one of P interleaved batches, from `[K, P B, ...]`."""

    def take(x: jax.Array) -> jax.Array:
        return x.reshape(len(x), -1, parts, *x.shape[2:])[:, :, part]

    return jax.tree.map(take, outputs)
