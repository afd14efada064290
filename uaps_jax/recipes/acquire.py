"""The settings of a choice of images, and the choice."""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

import dataclasses
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from uaps_jax import config as config_lib
from uaps_jax.acquisition import cost, coverage, diversity, selection
from uaps_jax.acquisition.cost import Cost, Work
from uaps_jax.acquisition.score import Aggregation, Score
from uaps_jax.acquisition.uncertainty import Uncertainty
from uaps_jax.config import Section

Selection = Literal[
    "random",
    "class_aware_random",
    "highest",
    "stochastic",
    "k_center",
    "k_means_plus_plus",
    "typiclust",
    "facility_location",
    "hybrid",
]
Features = Literal["texture", "network", "efficientnet_lite0"]
Members = Literal["prediction", "decoders", "flips", "checkpoints"]

BY_SCORE = ("highest", "stochastic", "hybrid")
BY_FEATURES = ("k_center", "k_means_plus_plus", "typiclust", "facility_location", "hybrid")
BY_TRUTH = ("class_aware_random",)
"""Selections that need a score of each image, its features, or the classes in its truth."""

HYBRID_VERSION = 2
"""Of the choice `hybrid`: what an earlier one chose is outdated."""

OF_ENSEMBLES = ("bald", "vote_entropy", "temporal_disagreement")
"""Uncertainties that compare the members of an ensemble."""


@dataclasses.dataclass(slots=True, kw_only=True)
class AcquisitionConfig(Section):
    """Which images a round chooses; the names are those of `uaps_jax.acquisition`."""

    selection: Selection  # of the images, from scores or features
    # of images, for selections and a start that compare them: an encoder with pretrained weights
    # ("efficientnet_lite0", which needs the extra `pretrained`); "texture", brightness and edges;
    # "network", the encoder of the training before, and at the start that with its pretrained
    # weights, or "texture" where the network has none
    features: Features
    # of a pixel; "highest", "stochastic" and "hybrid" score images
    uncertainty: Uncertainty
    aggregation: Aggregation  # of the uncertainties of the pixels to one number
    # "top_share": share of the pixels
    share: float = dataclasses.field(metadata=config_lib.rule(lambda v: 0 < v <= 1, "in (0, 1]"))
    # "predicted_foreground": border around predicted defects, in pixels of the network's input
    border: int = dataclasses.field(metadata=config_lib.at_least(0))
    # "worst_window": in pixels of the network's input
    side: int = dataclasses.field(metadata=config_lib.at_least(1))
    # "stochastic": draws are in proportion to score^power
    power: float = dataclasses.field(metadata=config_lib.at_least(0))
    # the ensemble: "prediction", one member; "decoders", all decoders or networks, or teacher and
    # student; "flips", the prediction of the image and of its three mirror images; "checkpoints",
    # those of the recipe's `checkpoints` and the last
    members: Members

    @property
    def score(self) -> Score:
        """The score of an image."""
        return Score(
            uncertainty=self.uncertainty,
            aggregation=self.aggregation,
            share=self.share,
            border=self.border,
            side=self.side,
        )

    def unused(self) -> Iterator[tuple[str, str]]:
        """Name of a setting that has no effect with the others, and why."""
        by_score = self.selection in BY_SCORE
        if self.selection not in BY_FEATURES:
            yield "features", f"has no effect with acquisition.selection = {self.selection!r}"
        needs = {
            "share": ("aggregation", "top_share"),
            "border": ("aggregation", "predicted_foreground"),
            "side": ("aggregation", "worst_window"),
        }
        for name in ("uncertainty", "aggregation", "members", *needs):
            if not by_score:
                yield name, f"has no effect with acquisition.selection = {self.selection!r}"
        for name, (key, value) in needs.items():
            if by_score and getattr(self, key) != value:
                yield name, f"is for acquisition.{key} = {value!r}"
        if self.selection != "stochastic":
            yield "power", "is for acquisition.selection = 'stochastic'"


@dataclasses.dataclass(slots=True, kw_only=True)
class CostConfig(Section):
    """Minutes in which a person annotates an image (`acquisition.cost`)."""

    per_image: float = dataclasses.field(metadata=config_lib.at_least(0))  # to open, look and save
    per_object: float = dataclasses.field(metadata=config_lib.at_least(0))  # for each object
    # for 100 pixels of the boundary of objects, at the image's own size
    per_100_pixels: float = dataclasses.field(metadata=config_lib.at_least(0))

    def model(self) -> Cost:
        return Cost(
            per_image=self.per_image,
            per_object=self.per_object,
            per_100_pixels=self.per_100_pixels,
        )


class Known(NamedTuple):
    """What a choice may use of the N candidates; what it does not need is None.

    Attributes:
      scores: `[N]`, not negative.
      features: `[N, D]`.
      classes: the defect classes in the truth of each.
      minutes: estimated, `[N]`.
      work: estimated, of each, from which the minutes are.
    """

    scores: np.ndarray | None
    features: np.ndarray | None
    classes: Sequence[Collection[int]] | None
    minutes: np.ndarray
    work: Sequence[Work]


def choose(
    config: AcquisitionConfig,
    known: Known,
    count: int,
    seed: Sequence[int],
    chosen: Sequence[int],
) -> list[int]:
    """The indices of `count` candidates, in the order of their choice.

    Args:
      config: how they are chosen.
      known: of the candidates.
      count: of the images.
      seed: of the draw; equal seeds draw alike, whatever the selection.
      chosen: candidates that are annotated already.
    """
    random = np.random.default_rng(list(seed))
    scores, features, classes = known.scores, known.features, known.classes
    match config.selection:
        case "random":
            return selection.uniform(len(known.minutes), count, random, chosen)
        case "class_aware_random":
            assert classes is not None
            return selection.class_aware(classes, count, random, chosen)
        case "highest":
            assert scores is not None
            return selection.highest(scores, count, chosen)
        case "stochastic":
            assert scores is not None
            return selection.stochastic(scores, count, random, chosen, config.power)
        case "k_center":
            assert features is not None
            return diversity.k_center(features, count, chosen)
        case "k_means_plus_plus":
            assert features is not None
            return diversity.k_means_plus_plus(features, count, random, chosen)
        case "facility_location":
            assert features is not None
            return coverage.facility_location(features, count, chosen)
        case "typiclust":
            assert features is not None
            return diversity.typiclust(features, count, random, chosen)
        case "hybrid":
            assert scores is not None
            assert features is not None
            return selection.hybrid(scores, features, count, chosen)


def choose_for_minutes(
    config: AcquisitionConfig,
    known: Known,
    minutes: float,
    seed: Sequence[int],
    chosen: Sequence[int],
) -> list[int]:
    """As many candidates as a budget pays, of those that it would pay at the mean price.

    In the order of their choice, each that fits into what is left of the budget is taken, and the
    others are left out. While none fits, twice as many are looked at. What is left of the budget is
    the next round's. None where no candidate fits, or none is left.
    """
    free = np.setdiff1d(np.arange(len(known.minutes)), chosen)
    if not len(free) or not cost.affordable([float(known.minutes[free].min())], minutes):
        return []
    price = float(known.minutes[free].mean())
    count = max(1, math.floor(minutes / price + cost.ROUNDING)) if price > 0 else len(free)
    while True:
        count = min(count, len(free))
        picked = choose(config, known, count, seed, chosen)
        if fitting := cost.affordable([float(known.minutes[i]) for i in picked], minutes):
            return [picked[place] for place in fitting]
        count *= 2


def description(config: AcquisitionConfig) -> Mapping[str, object]:
    """The settings that the choice depends on."""
    left_out = {name for name, _ in config.unused()}
    return {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if field.name not in left_out
    }
