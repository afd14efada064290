"""The contrastive term of U2PL: its sets from a teacher's outputs, its banks, its value."""

# Annotations are evaluated here: overrides are parsed by the types of the settings.

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.labels import IGNORE
from uaps_jax.losses import contrastive
from uaps_jax.methods import contrast_sets, memory_bank, passes
from uaps_jax.methods.base import Write
from uaps_jax.methods.region_mixing import Target
from uaps_jax.models.interfaces import Outputs

PROJECTION = "projection"  # name of the head
BANKS, PLACES = "negatives", "bank_places"  # in memory and state


@dataclass(slots=True, kw_only=True)
class ContrastConfig(c.MethodConfig):
    """The settings of the term."""

    # lambda_c, of L_c; 0: neither projection head nor banks
    weight_contrast: float = field(metadata=c.at_least(0))
    projection: int = field(metadata=c.at_least(1))  # channels of z
    temperature: float = field(metadata=c.above(0))  # tau
    # delta, which the teacher's probability of an anchor's class exceeds
    anchor_threshold: float = field(metadata=c.probability())
    anchors: int = field(metadata=c.at_least(1))  # M, of each class in a step
    negatives: int = field(metadata=c.at_least(1))  # N, of each anchor
    # r_l: ranks below it are of labeled negatives; 0: min(3, classes - 2), but at least 1
    low_rank: int = field(metadata=c.at_least(0))
    # r_h: ranks from r_l on, below r_h, are of unlabeled negatives; 0: the number of classes
    high_rank: int = field(metadata=c.at_least(0))
    bank_size: int = field(metadata=c.at_least(1))  # features in the bank of a class
    # features of a class that a step, or each of its train.accumulate pieces, may write
    bank_keys: int = field(metadata=c.at_least(1))

    def ranks(self, classes: int) -> tuple[int, int]:
        """(r_l, r_h)."""
        low, high = contrast_sets.ranks_for(classes)
        return self.low_rank or low, self.high_rank or high

    def problems(self, config: Config) -> Iterator[str]:
        yield from c.MethodConfig.problems(self, config)
        pieces = config.train.accumulate
        yield from c.check(
            config,
            "method.bank_keys",
            self.bank_keys * pieces <= self.bank_size,
            f"must be at most method.bank_size = {self.bank_size} / train.accumulate = {pieces}, "
            "as every piece of a batch writes so many",
        )
        classes = config.data.classes
        if not classes or not self.weight_contrast:
            return
        low, high = self.ranks(classes)
        yield from c.check(
            config,
            "method.low_rank",
            low < classes,
            f"must be 1 to {classes - 1} for {classes} classes, the background included, or 0 for "
            f"{contrast_sets.ranks_for(classes)[0]}; else no pixel is a negative",
        )
        if low < classes:
            yield from c.check(
                config,
                "method.high_rank",
                low < high <= classes,
                f"must be {low + 1} to {classes} for {classes} classes and method.low_rank = {low},"
                f" or 0 for {classes}",
            )


class Teaching(NamedTuple):
    """What a teacher says of a step's images, of size H x W.

    Attributes:
      labeled: its outputs, of one decoder.
      unlabeled: likewise, before the mixing.
      labels: true ones `[B, H, W]`.
      is_reliable: of the unlabeled images, before the mixing, `[B, H, W]`.
      target: their reliable pseudo-labels, before the mixing.
      mixed: behind it.
    """

    labeled: Outputs
    unlabeled: Outputs
    labels: jax.Array
    is_reliable: jax.Array
    target: Target
    mixed: Target


class Prepared(NamedTuple):
    """What does not depend on the student; pixels are those of the projection, N in all.

    Attributes:
      anchors: candidates, boolean `[C, N]`, of the student's pixels.
      drawn: M anchors of each class, int32 `[C, M]`.
      positives: prototypes, `[C, D]`.
      negatives: candidates, boolean `[C, N]`, of the teacher's pixels.
      banks: `[C, size, D]`, before the step.
      filled: rows of each bank, int32 `[C]`.
      rows: of the bank, for each anchor, int32 `[C, M, negatives]`.
      write: into the banks.
      places: behind the step.
    """

    anchors: jax.Array
    drawn: jax.Array
    positives: jax.Array
    negatives: jax.Array
    banks: jax.Array
    filled: jax.Array
    rows: jax.Array
    write: Write
    places: jax.Array


def prepare(
    key: jax.Array,
    teaching: Teaching,
    memory: jax.Array,
    places: jax.Array,
    starts: jax.Array,
    threshold: jax.Array,
    options: ContrastConfig,
) -> Prepared:
    """The sets, the prototypes, the draws and the writes of a step.

    Args:
      key: of this step.
      teaching: without gradient.
      memory: the banks.
      places: in the banks.
      starts: whether warm-up is over; before, nothing is written.
      threshold: delta.
      options: numbers of pixels, ranks and sizes.
    """
    anchor_key, row_key, write_key = jax.random.split(key, 3)
    z = passes.interleave(
        teaching.labeled.heads[PROJECTION][0], teaching.unlabeled.heads[PROJECTION][0]
    )
    # A stride leaves ceil(H / stride) pixels of H; rounded up, it leaves as many as z has.
    down, right = (-(-teaching.labels.shape[axis] // z.shape[axis]) for axis in (1, 2))

    def pixels(labeled: jax.Array, unlabeled: jax.Array) -> jax.Array:
        """At the pixels of the projection, `[N, ...]`."""
        both = passes.interleave(*(x[:, ::down, ::right] for x in (labeled, unlabeled)))
        return both.reshape(-1, *both.shape[3:])

    probabilities = [jax.nn.softmax(o.logits[0]) for o in (teaching.labeled, teaching.unlabeled)]
    classes = probabilities[0].shape[-1]
    truth = teaching.labels
    of_truth = jnp.take_along_axis(
        probabilities[0], jnp.where(truth == IGNORE, 0, truth)[..., None], axis=-1
    )[..., 0]

    def anchors_of(target: Target) -> jax.Array:
        labels = pixels(truth, target.labels)
        return contrast_sets.anchors(
            labels, pixels(of_truth, target.probability), threshold, classes
        )

    low, high = options.ranks(classes)
    rank = contrast_sets.ranks(pixels(*probabilities))
    nothing = jnp.full_like(truth, IGNORE)
    negatives = contrast_sets.labeled_negatives(
        pixels(truth, nothing), rank, low
    ) | contrast_sets.unlabeled_negatives(
        pixels(jnp.ones(truth.shape, bool), teaching.is_reliable), rank, low, high
    )
    features = z.reshape(-1, z.shape[-1])
    banks, filled = memory_bank.banks(memory, classes)
    unit, rows = contrastive.unit(features), (options.bank_size, options.bank_keys)
    write, places = memory_bank.written(write_key, places, unit, negatives & starts, *rows)
    candidates = anchors_of(teaching.mixed)
    return Prepared(
        anchors=candidates,
        drawn=contrast_sets.draw(anchor_key, candidates, options.anchors),
        positives=contrastive.prototypes(features, anchors_of(teaching.target)),
        negatives=negatives,
        banks=banks,
        filled=filled,
        rows=memory_bank.draw(row_key, filled, (options.anchors, options.negatives)),
        write=write,
        places=places,
    )


def term(features: jax.Array, prepared: Prepared, temperature: float) -> jax.Array:
    """L_c of the student's projection `[2B, h, w, D]` of labeled and mixed images, interleaved.

    The cosines of an anchor to its whole bank are computed, and those of its negatives are taken:
    the bank is smaller than one copy of it per anchor.
    """
    flat = features.reshape(-1, features.shape[-1])
    anchors = contrastive.unit(flat[prepared.drawn])  # [C, M, D]
    positives = contrastive.unit(prepared.positives)
    positive = jnp.einsum("cmd,cd->cm", anchors, positives, precision="highest")
    to_bank = jnp.einsum("cmd,cqd->cmq", anchors, prepared.banks, precision="highest")
    negative = jnp.take_along_axis(to_bank, prepared.rows, axis=2)
    is_counted = prepared.anchors.any(1) & (prepared.filled > 0)
    return contrastive.info_nce(positive, negative, temperature, is_counted)


def counts(prepared: Prepared) -> dict[str, jax.Array]:
    """`anchors_<c>`, `negatives_<c>`: candidates of class c; `bank_<c>`: rows of its bank."""
    numbers = {
        "anchors": prepared.anchors.sum(1),
        "negatives": prepared.negatives.sum(1),
        "bank": prepared.filled,
    }
    return {
        f"{name}_{label}": count.astype(jnp.float32)
        for name, of_classes in numbers.items()
        for label, count in enumerate(of_classes)
    }
