"""Settings of a run's length and size, of its checkpoints and of its evaluation."""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from uaps_jax.config.checks import check
from uaps_jax.config.data import SEEDS
from uaps_jax.config.rules import at_least, fraction
from uaps_jax.config.section import Section

if TYPE_CHECKING:
    from uaps_jax.config.schema import Config


@dataclass(slots=True, kw_only=True)
class TrainConfig(Section):
    """The length and size of a run."""

    seed: int = field(metadata=SEEDS)  # of initial weights, data order, views, perturbations
    steps: int = field(metadata=at_least(1))  # optimizer steps
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


ScoreKind = Literal["top", "area"]
Aim = Literal["false_alarms", "recall"]
Selection = Literal["image_dice", "dice_and_auroc"]


@dataclass(slots=True, kw_only=True)
class DecisionConfig(Section):
    """How an image is judged OK or not OK; areas are in pixels of the network's input."""

    # score of an image: "top", mean of its largest defect probabilities; "area", number of pixels
    # whose defect probability is above pixel_threshold
    score: ScoreKind
    top_pixels: int = field(metadata=at_least(1))  # "top": how many of the probabilities
    # a pixel with a larger defect probability is one of a defect
    pixel_threshold: float = field(metadata=fraction())
    # smallest area of a defect, a region of pixels above pixel_threshold; smaller ones do not
    # count; 0: all pixels count
    minimum_area: int = field(metadata=at_least(0))
    # what the threshold of the score is set for, on validation images
    aim: Aim
    # the fraction of the good images that may be judged not OK, or of the defective ones that are
    # to be found
    rate: float = field(metadata=fraction())

    def problems(self, config: "Config") -> Iterator[str]:
        """A rate that belongs to the other aim."""
        yield from check(
            config,
            "evaluation.decision.rate",
            (self.rate > 0.5) == (self.aim == "recall"),
            "with evaluation.decision.aim = 'false_alarms' it is the fraction of the good images "
            "that may be judged not OK, at most 0.5, as 0.05; with 'recall' the fraction of the "
            "defective images that are to be found, above 0.5, as 0.95",
        )


@dataclass(slots=True, kw_only=True)
class EvaluationConfig(Section):
    """How a model is evaluated."""

    batch_size: int = field(metadata=at_least(1))  # images per forward pass
    predictor: str  # which of the method's predictors; "" is its default
    # what the best checkpoint has most of on validation, and the plateau schedule follows:
    # "image_dice", of the images with a defect; "dice_and_auroc", the mean of it and of the AUROC
    # of the images' scores, to which images without a defect contribute
    selection: Selection
    decision: DecisionConfig
    # number of unlabeled images on which pseudo-labels are evaluated during training; 0: none
    probe_images: int = field(metadata=at_least(0))
