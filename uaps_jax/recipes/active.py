"""Rounds of annotation: train, score the images that have no mask, annotate the best, repeat.

A simulation hides the masks of the training images and shows those that are chosen; it can run
several strategies from the same start, to compare them. With a user's folder, each round stops
until a person has annotated the chosen images.
"""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.config import Config, ConfigError
from uaps_jax.data import protocols
from uaps_jax.data.source import Dataset
from uaps_jax.data.splits import PARTS, Split
from uaps_jax.evaluation import metrics
from uaps_jax.inference import members
from uaps_jax.recipes import acquire, image_features, knowledge, observe
from uaps_jax.recipes.acquire import AcquisitionConfig, CostConfig
from uaps_jax.recipes.rounds import BASELINES, Chain, Plan, Start, stages, strategies
from uaps_jax.recipes.stage import Recipe, Stage
from uaps_jax.reports.learning_curves import Question


@dataclasses.dataclass(slots=True, kw_only=True)
class Active(Recipe):
    """Rounds of annotation; `base` is the training of every round, with fixed steps."""

    acquisition: AcquisitionConfig
    # strategies that run besides, in a simulation: "random", "class_aware_random", which sees the
    # classes of each image, and "mean_entropy", the highest mean entropy over all pixels
    baselines: tuple[str, ...]
    # the images of the start: random ones, as for the baseline of that name; the most typical of
    # clusters ("typiclust"); or the ones to which the distances of all others are smallest
    # ("facility_location")
    start: Start
    start_images: int = dataclasses.field(metadata=config_lib.at_least(1))  # labeled at the start
    # what each further round adds
    added: tuple[float, ...] = dataclasses.field(
        metadata=config_lib.rule(lambda v: bool(v) and min(v) > 0, "must be numbers above 0")
    )
    unit: Literal["images", "hours"]  # of `added`; hours are those of `cost`
    cost: CostConfig
    # whether a round begins with the weights of the round before; otherwise each is trained anew
    warm_start: bool
    # "simulated": by the masks of the dataset; "files": by masks that a person puts into the folder
    annotation: Literal["simulated", "files"]
    # "checkpoints": those that are compared, as shares of the steps, besides the last one
    checkpoints: tuple[float, ...] = dataclasses.field(
        metadata=config_lib.rule(
            lambda v: all(0 < share < 1 for share in v) and list(v) == sorted(set(v)),
            "must be shares above 0 and below 1, ascending",
        )
    )
    metric: str  # of the report, in percent
    reported: Literal["best", "latest"]  # the checkpoint of the report
    # a score of the metric; the report says how many more labels it needs; 0: none
    target: float = dataclasses.field(metadata=config_lib.within(0, 100))
    # points of the metric; the report advises to stop where a further round adds less
    smallest_gain: float = dataclasses.field(metadata=config_lib.at_least(0))

    def problems(self, config: Config) -> Iterator[str]:
        """Settings of `base` that choose labels themselves, and what does not fit together."""
        yield from config_lib.check(
            self,
            "base.train.minutes",
            not config.train.minutes,
            "every round has the same steps; set base.train.steps",
        )
        yield from config_lib.check(
            self,
            "base.data.scale",
            config.data.scale == 1 or config.data.fit == "crop",
            'must be 1 with base.data.fit = "pad"',
        )
        yield from self._label_problems(config)
        yield from self._choice_problems(config)
        if self.annotation == "files":
            yield from self._file_problems(config)

    def _label_problems(self, config: Config) -> Iterator[str]:
        unset = {"labeled_ratio": 1.0, "labeled_count": 0, "labeled_list": "", "split_file": ""}
        for name, value in unset.items():
            yield from config_lib.check(
                self,
                f"base.data.{name}",
                getattr(config.data, name) == value,
                f"the rounds choose the labeled images; set it to {value!r}",
            )
        if self.unit == "images":
            whole = all(float(number).is_integer() for number in self.added)
            yield from config_lib.check(self, "added", whole, "images are whole numbers")
        else:
            yield from config_lib.check(
                self,
                "cost.per_image",
                self.cost.per_image > 0,
                "with unit = 'hours' every image must cost something, also one without a defect",
            )

    def _choice_problems(self, config: Config) -> Iterator[str]:
        own, by_score = self.acquisition, self.acquisition.selection in acquire.BY_SCORE
        names = (*self.baselines, own.selection)
        unknown = [name for name in self.baselines if name not in BASELINES]
        yield from config_lib.check(
            self, "baselines", not unknown, f"must be some of {', '.join(BASELINES)}"
        )
        yield from config_lib.check(
            self,
            "baselines",
            len(set(names)) == len(names),
            "each once, and without acquisition.selection",
        )
        if {self.start, own.selection} & {*acquire.BY_FEATURES}:
            yield from image_features.problems(own.features)
        steps = self._compared()
        yield from config_lib.check(
            self,
            "checkpoints",
            not by_score
            or own.members != "checkpoints"
            or (bool(steps) and steps[0] > 0 and len({*steps, config.train.steps}) > len(steps)),
            f"with base.train.steps = {config.train.steps} they are the steps "
            f"{', '.join(map(str, steps)) or '(none)'}, which must be above 0 and differ",
        )
        if by_score and own.uncertainty in acquire.OF_ENSEMBLES and own.members != "checkpoints":
            known = (
                config_lib.with_classes(config, ("",) * 2) if not config.data.classes else config
            )
            found = members.count(known, methods.build(known), observe.kind_of(own.members))
            yield from config_lib.check(
                self,
                "acquisition.members",
                found > 1,
                f"{own.uncertainty} compares the members of an ensemble, and there is one: choose "
                "'flips' or 'checkpoints', or a method with several decoders or a teacher",
            )

    def _file_problems(self, config: Config) -> Iterator[str]:
        yield from config_lib.check(
            self,
            "annotation",
            config.data.name == "folder",
            'needs base.data.name = "folder", a folder of your own',
        )
        yield from config_lib.check(
            self, "baselines", not self.baselines, "compare strategies where the masks are known"
        )
        yield from config_lib.check(
            self,
            "base.data.protocol",
            config.data.protocol == "grouped",
            'must be "grouped" where a person annotates',
        )
        for key in ("acquisition.selection", "start"):
            yield from config_lib.check(
                self,
                key,
                config_lib.lookup(self, key) not in acquire.BY_TRUTH,
                "nobody knows the classes of images without a mask; choose another",
            )

    def unused(self) -> Mapping[str, str]:
        """Settings of choices that are not made."""
        found = {f"acquisition.{name}": why for name, why in self.acquisition.unused()}
        if self.start in acquire.BY_FEATURES:
            found.pop("acquisition.features", None)
        if "acquisition.members" in found or self.acquisition.members != "checkpoints":
            found["checkpoints"] = "is for acquisition.members = 'checkpoints'"
        return found

    def split(self, dataset: Dataset) -> Split:
        """The pool as labeled images; of a user's folder, what is annotated now."""
        known = metrics.growing(dataset.class_names)
        if self.metric not in known:
            raise ConfigError(f"metric = {self.metric!r}: must be one of {', '.join(known)}")
        if self.annotation == "files" and not dataset.masked:
            return {part: [] for part in PARTS}
        split = protocols.make_split(dataset, self.base.data)
        if self.annotation == "simulated" and self.unit == "images":
            have = len(knowledge.pool(dataset, self.base, split["labeled"]))
            wanted = self.start_images + sum(self.added)
            if wanted > have:
                raise ConfigError(
                    f"start_images = {self.start_images} and added = {self.added} are {wanted:.0f} "
                    f"images, and there are {have} to choose from, one of each leakage group "
                    "under the protocol grouped"
                )
        return split

    def digest(self, dataset: Dataset, split: Split) -> str:
        """Of a user's folder, that of its images alone: masks are added in every round."""
        if self.annotation == "simulated":
            return Recipe.digest(self, dataset, split)
        total = hashlib.sha256(repr(dataset.class_names).encode())
        for name, (part, index) in sorted(dataset.position.items()):
            image = hashlib.sha256(dataset.records[part][index]["image"]).digest()
            total.update(f"{name}\0{dataset.groups[name]}\0".encode() + image)
        return total.hexdigest()[:16]

    def stages(self) -> Sequence[Stage]:
        plan = Plan(
            base=self.base,
            start_images=self.start_images,
            added=self.added,
            in_hours=self.unit == "hours",
            cost=self.cost.model(),
            warm_start=self.warm_start,
            simulated=self.annotation == "simulated",
            steps=self._compared(),
            question=self.question,
        )
        return stages(plan, self.chains)

    @property
    def chains(self) -> Sequence[Chain]:
        """The strategies: the recipe's own first, then the baselines."""
        at_start = self.acquisition.features
        if at_start == "network" and not self.base.network.pretrained:
            at_start = "texture"
        return strategies(self.acquisition, self.start, at_start, self.baselines)

    @property
    def question(self) -> Question:
        """What the report answers."""
        in_minutes = self.unit == "hours"
        return Question(
            metric=self.metric,
            checkpoint=self.reported,
            baselines=self.baselines,
            in_minutes=in_minutes,
            target=self.target,
            smallest_gain=self.smallest_gain,
            added=self.added[-1] * (60 if in_minutes else 1),
        )

    def _compared(self) -> tuple[int, ...]:
        """Steps of the checkpoints that are compared besides the last one."""
        own, steps = self.acquisition, self.base.train.steps
        if own.selection not in acquire.BY_SCORE or own.members != "checkpoints":
            return ()
        return tuple(round(share * steps) for share in self.checkpoints)
