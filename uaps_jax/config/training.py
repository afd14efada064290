"""Settings of a run's length and size, of its checkpoints and of its evaluation."""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uaps_jax.config.checks import check
from uaps_jax.config.crf import CRFConfig
from uaps_jax.config.rules import at_least, seed
from uaps_jax.config.section import Section

if TYPE_CHECKING:
    from uaps_jax.config.schema import Config


@dataclass(slots=True, kw_only=True)
class TrainConfig(Section):
    """The length and size of a run."""

    seed: int = field(metadata=seed())  # of initial weights, data order, views, perturbations
    steps: int = field(metadata=at_least(1))  # optimizer steps
    # minutes that all steps and evaluations are to take: they are timed before the first step, and
    # `steps` and all that counts steps is set accordingly; a run that resumes keeps what was set;
    # 0: `steps` is as given
    minutes: float = field(metadata=at_least(0))
    batch_labeled: int = field(metadata=at_least(1))  # images per step, over all devices
    batch_unlabeled: int = field(metadata=at_least(1))  # likewise
    deterministic: bool  # bit-identical runs on a GPU, but slower; on a CPU they always are
    # number of pieces of a batch that are computed one after another, to save memory; 1: the batch
    # as a whole
    accumulate: int = field(metadata=at_least(1))
    log_every: int = field(metadata=at_least(1))  # steps between lines of metrics.jsonl
    # steps between evaluations on the validation split
    eval_every: int = field(metadata=at_least(1))


@dataclass(slots=True, kw_only=True)
class CheckpointConfig(Section):
    """Which checkpoints are written, and which are kept besides the latest and the best."""

    # steps between checkpoints (an evaluation that is the best so far writes one, too)
    every: int = field(metadata=at_least(1))
    # keep every checkpoint whose step is a multiple of this; 0: none
    keep_every: int = field(metadata=at_least(0))
    keep_at: tuple[int, ...]  # keep the checkpoints of these steps

    def problems(self, config: "Config") -> Iterator[str]:
        """Steps in `keep_at` that the run does not have."""
        yield from check(
            config,
            "checkpoint.keep_at",
            all(0 < step <= config.train.steps for step in self.keep_at),
            f"must be steps from 1 to train.steps = {config.train.steps}",
        )


@dataclass(slots=True, kw_only=True)
class EvaluationConfig(Section):
    """How a model is evaluated."""

    batch_size: int = field(metadata=at_least(1))  # images per forward pass
    predictor: str  # which of the method's predictors; "" is its default
    # number of unlabeled images on which pseudo-labels are evaluated during training; 0: none
    probe_images: int = field(metadata=at_least(0))
    # refines predictions along the edges of their image; scores, pseudo-labels and exported files
    # are without it
    crf: CRFConfig
