"""Training in stages, by pseudo-labels that are made once: ST, ST++ (Yang et al. 2022) and PPL.

One student (ST): a teacher learns the labeled images; its best checkpoint labels all unlabeled
ones; a student learns both. Two students (ST++, PPL): the unlabeled images are ranked by how
reliable their pseudo-labels are; the first student learns the easy part, labels the hard one, and
the second student learns both. Every student is a new network.
"""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from uaps_jax import config as config_lib
from uaps_jax.config import Config, CRFConfig, MethodConfig
from uaps_jax.evaluation import reliability
from uaps_jax.evaluation.reliability import Terms
from uaps_jax.recipes import images
from uaps_jax.recipes.label import label
from uaps_jax.recipes.rank import rank
from uaps_jax.recipes.ranking import EASY, HARD
from uaps_jax.recipes.stage import Folders, Recipe, Stage, Training

SCORES: dict[str, Terms] = {
    "stability": reliability.stability_terms,
    "sir": reliability.sir_terms,
}
"""The terms whose product ranks the images, by `Progressive.score`."""

OF_RANKING = ("score", "easy", "balanced")
"""Settings of the ranking, which there is for two students only."""


@dataclasses.dataclass(slots=True, kw_only=True)
class Progressive(Recipe):
    """ST, ST++ and PPL: `base.method` is the teacher's, `base.views.unlabeled` the students'.

    A batch of the teacher has as many images as one of the students, all of them labeled.
    """

    student: MethodConfig  # the method of the students
    # steps of the students: one student learns all unlabeled images (ST); of two, the first learns
    # the easy ones and the second all (ST++)
    student_steps: tuple[int, ...] = dataclasses.field(
        metadata=config_lib.rule(
            lambda v: len(v) in (1, 2) and min(v) > 0, "must be the steps of one or two students"
        )
    )
    # what ranks the images: "stability", the agreement of checkpoints of the teacher (ST++); "sir",
    # this times the certainty of the last of them (PPL)
    score: Literal["stability", "sir"]
    # checkpoints of the teacher that are compared, as shares of its steps, besides the last one;
    # with one student they are kept, too, for a recipe with two that reuses the teacher
    checkpoints: tuple[float, ...] = dataclasses.field(
        metadata=config_lib.rule(
            lambda v: bool(v) and all(0 < share < 1 for share in v) and list(v) == sorted(set(v)),
            "must be shares above 0 and below 1, ascending",
        )
    )
    easy: float = dataclasses.field(metadata=config_lib.fraction())  # share of the easy images
    # whether the same share of each kind is easy, by the class of most defect pixels in the
    # pseudo-label; otherwise mostly images without a defect may be
    balanced: bool
    # sizes of test-time augmentation for pseudo-labels, as factors of the sides; (1.0,): none
    scales: tuple[float, ...] = dataclasses.field(
        metadata=config_lib.rule(lambda v: bool(v) and min(v) > 0, "must be one factor or more")
    )
    flip: bool  # whether pseudo-labels are the mean with those of the mirrored images, too
    crf: CRFConfig  # refines pseudo-labels along the edges of their images

    def problems(self, config: Config) -> Iterator[str]:
        """Settings of `base` that no recipe of this kind can have, and shares of too few steps."""
        yield from config_lib.check(
            self,
            "base.train.minutes",
            not config.train.minutes,
            "a recipe needs fixed steps; set base.train.steps and student_steps",
        )
        yield from images.fit_problems(config.data)
        yield from config_lib.check(
            self,
            "base.checkpoint.keep_at",
            not config.checkpoint.keep_at,
            "the recipe chooses the steps itself; leave it empty, or set "
            "base.checkpoint.keep_every",
        )
        steps = self._compared()
        yield from config_lib.check(
            self,
            "checkpoints",
            steps[0] > 0 and list(steps) == sorted(set(steps)),
            f"with base.train.steps = {config.train.steps} these and the last one are the steps "
            f"{', '.join(map(str, steps))}, which must be above 0 and differ",
        )

    def unused(self) -> Mapping[str, str]:
        """What belongs to a ranking, with one student."""
        reason = f"has no effect with one student, student_steps = {self.student_steps}"
        return {} if self._ranks else dict.fromkeys(OF_RANKING, reason)

    def stages(self) -> Sequence[Stage]:
        return tuple(self._stages())

    @property
    def _ranks(self) -> bool:
        """Whether images are ranked, for two students."""
        return len(self.student_steps) > 1

    def _compared(self) -> tuple[int, ...]:
        """Steps of the checkpoints of the teacher that are compared."""
        steps = self.base.train.steps
        return (*(round(share * steps) for share in self.checkpoints), steps)

    def _stages(self) -> Iterator[Stage]:
        compared = self._compared()
        yield Training(name="teacher", configure=lambda _: self._teacher(compared))
        if not self._ranks:
            yield self._label("label", "all", "teacher", "")
            yield self._student("student", ("label",), self.student_steps[0])
            return
        yield rank(
            name="rank",
            model="teacher",
            steps=compared,
            terms=SCORES[self.score],
            share=self.easy,
            balanced=self.balanced,
        )
        yield self._label("label_easy", "easy", "teacher", EASY)
        yield self._student("student_1", ("label_easy",), self.student_steps[0])
        yield self._label("label_hard", "hard", "student_1", HARD)
        yield self._student("student_2", ("label_easy", "label_hard"), self.student_steps[1])

    def _teacher(self, kept: tuple[int, ...]) -> Config:
        """The settings of the teacher, which does not see unlabeled images."""
        base, train = self.base, self.base.train
        batch = train.batch_labeled + train.batch_unlabeled
        return dataclasses.replace(
            base,
            train=dataclasses.replace(train, batch_labeled=batch),
            views=dataclasses.replace(base.views, unlabeled=base.views.labeled),
            checkpoint=dataclasses.replace(base.checkpoint, keep_at=kept),
        )

    def _student(self, name: str, labels: tuple[str, ...], steps: int) -> Training:
        def configure(folders: Folders) -> Config:
            base = self.base
            found = tuple(str(folders[stage]) for stage in labels)
            targets = dataclasses.replace(
                base.data.targets, folders=found, defect_share=base.data.defect_share
            )
            return dataclasses.replace(
                base,
                data=dataclasses.replace(base.data, targets=targets),
                method=self.student,
                train=dataclasses.replace(base.train, steps=steps),
            )

        return Training(name=name, inputs=labels, configure=configure)

    def _label(self, name: str, folder: str, model: str, part: str) -> Stage:
        return label(
            name=name,
            folder=f"targets/{folder}",
            model=model,
            ranking_of="rank" if part else "",
            part=part,
            scales=self.scales,
            flip=self.flip,
            crf=self.crf,
        )
