"""Learning from rough masks in two phases (URN, Li et al., AAAI 2022).

A network learns rough masks. Its predictions, refined by a CRF, become cyclic masks of the same
images, and response scaling finds the pixels of which it is uncertain. A new network learns the
cyclic masks, in which these pixels weigh less.
"""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from uaps_jax import config as config_lib
from uaps_jax.config import Config, CRFConfig, Form, MethodConfig, TargetsConfig
from uaps_jax.data.source import Dataset
from uaps_jax.data.splits import Split
from uaps_jax.methods.seam import SeamConfig
from uaps_jax.methods.urn import UrnConfig
from uaps_jax.recipes import given, given_checks, images, rough_masks, weightings
from uaps_jax.recipes.activation_masks import MapsConfig, activation_masks, labels_as_masks
from uaps_jax.recipes.cyclic_masks import Scaling, cyclic_masks
from uaps_jax.recipes.scores import scores
from uaps_jax.recipes.stage import Folders, Recipe, Stage, Training
from uaps_jax.recipes.weightings import WEIGHTINGS


@dataclasses.dataclass(slots=True, kw_only=True)
class ResponseScaling(Recipe):
    """URN: `base.method` is that of both phases, without weights; `base.train.steps` the second's.

    Phase 0 is the masks that are learnt first. Each phase can be left out by giving its files.
    """

    # the masks of phase 0. "rough": of the labeled images, rough as `base.data.rough` makes them or
    # as they are; "labeled": exact ones of the labeled images, and the unlabeled images get cyclic
    # masks, too; "image_labels": made of the labels of whole images, by `maps`
    start: Literal["rough", "labeled", "image_labels"]
    maps: MapsConfig
    masks: str  # folder with mask/NAME.png of training images, in place of phase 0; "": none
    model: str  # work directory of a run, in place of phase 1; "": none
    # folder with mask/NAME.png and weight/NAME.png, in place of cyclic masks and weights; "": none
    cyclic: str
    phase_1_steps: int = dataclasses.field(metadata=config_lib.at_least(1))
    # of both phases, for cyclic masks and scores; "best" is chosen by exact validation masks
    checkpoint: Literal["latest", "best"]
    # sizes of the images for cyclic masks, as factors of the sides, each mirrored as well
    views: tuple[float, ...] = dataclasses.field(
        metadata=config_lib.rule(lambda v: bool(v) and min(v) > 0, "must be one factor or more")
    )
    # n, to which the probability of a class is raised
    powers: tuple[float, ...] = dataclasses.field(
        metadata=config_lib.rule(lambda v: len(v) > 1 and min(v) > 0, "must be two powers or more")
    )
    form: Form  # of response scaling
    # a class of which a cyclic mask has a smaller share of the pixels than the mask of phase 0 gets
    # that mask; 0: never, as in URN
    restored: float = dataclasses.field(metadata=config_lib.within(0, 1))
    crf: CRFConfig  # of cyclic masks, response scaling and the second scores of each model
    # largest probability below which a pixel weighs less with the weighting "threshold"
    least_confidence: float = dataclasses.field(metadata=config_lib.probability())
    # what phase 2 learns, a training each. "none": masks of phase 0; the others cyclic masks:
    # "cyclic", without weights; "hard" and "soft", with URN's; "threshold", `least_confidence`;
    # "oracle", wrong pixels weigh less, by masks that are hidden otherwise, for studies only
    weightings: tuple[str, ...] = dataclasses.field(
        metadata=config_lib.rule(
            lambda v: bool(v) and set(v) <= set(WEIGHTINGS) and len(set(v)) == len(v),
            f"must be one or more of {', '.join(WEIGHTINGS)}, each once",
        )
    )

    def problems(self, config: Config) -> Iterator[str]:
        """Settings of `base` that no recipe of this kind can have, and files that do not exist."""
        yield from self._base_problems(config)
        yield from images.fit_problems(config.data)
        yield from given_checks.problems(self)
        yield from config_lib.check(
            self,
            "weightings",
            not self.cyclic
            or "threshold" not in self.weightings
            or Path(self.cyclic, rough_masks.CONFIDENCE).is_dir(),
            f'"threshold" needs the folder {rough_masks.CONFIDENCE} of a recipe in cyclic',
        )

    def unused(self) -> Mapping[str, str]:
        """What belongs to phases that are left out."""
        found = {}
        if "threshold" not in self.weightings:
            found["least_confidence"] = 'has no effect without the weighting "threshold"'
        if self.start != "image_labels" or self.masks:
            key = "masks" if self.start == "image_labels" else "start"
            reason = f"has no effect with {key} = {getattr(self, key)!r}"
            found |= dict.fromkeys(config_lib.flatten(self.maps, "maps."), reason)
        if self.masks and self.start == "rough":
            found |= {
                f"base.data.rough.{field.name}": f"has no effect with masks = {self.masks!r}"
                for field in dataclasses.fields(self.base.data.rough)
            }
        if self.start == "labeled":
            found["restored"] = f"has no effect with start = {self.start!r}"
        if self.model:
            found["phase_1_steps"] = f"has no effect with model = {self.model!r}"
        if self.cyclic:
            reason = f"has no effect with cyclic = {self.cyclic!r}"
            found |= dict.fromkeys(
                ("model", "phase_1_steps", "views", "powers", "form", "restored"), reason
            )
        return found

    def split(self, dataset: Dataset) -> Split:
        """The split of `base.data`, to which the files that a person gives must fit."""
        split = Recipe.split(self, dataset)
        given_checks.check(self, dataset, split)
        return split

    def stages(self) -> Sequence[Stage]:
        return tuple(self._stages())

    def _base_problems(self, config: Config) -> Iterator[str]:
        method = config.method
        if not isinstance(method, UrnConfig) or method.weighting != "none":
            yield (
                'base.method: must be urn with weighting = "none"; the weights of phase 2 are the '
                "recipe's weightings"
            )
        if not isinstance(self.maps.classifier, SeamConfig):
            yield "maps.classifier: must be seam"
        for key, condition, message in (
            ("base.train.minutes", not config.train.minutes, "a recipe needs fixed steps"),
            (
                "base.data.targets.folders",
                not config.data.targets.folders,
                "the recipe writes them itself; give masks in place of phase 0",
            ),
            (
                "base.data.rough.kind",
                self.start == "rough" or config.data.rough.kind == "none",
                f"cannot be set with start = {self.start!r}, which has no rough masks",
            ),
        ):
            yield from config_lib.check(self, key, condition, message)

    def _stages(self) -> Iterator[Stage]:
        if not self.cyclic or "none" in self.weightings:
            yield from self._phase_0()
        if self.cyclic:
            source = Path(self.cyclic)
            yield given.targets_of(
                name="cyclic", folder="targets/cyclic", source=source, needs_labels=False
            )
        else:
            yield from self._first()
        data = self.base.data
        if "threshold" in self.weightings:
            yield weightings.by_confidence(
                name="threshold",
                folder="targets/threshold",
                data=data,
                least=self.least_confidence,
            )
        if "oracle" in self.weightings:
            yield weightings.by_truth(name="oracle", folder="targets/oracle", data=data)
        models = {} if self.cyclic else {"phase 1": "phase_1"}
        for name in self.weightings:
            stage = "phase_1" if name == "none" and self._repeats_phase_1 else f"phase_2_{name}"
            models[name] = stage
            if stage != "phase_1":
                yield self._phase_2(stage, name)
        yield scores(name="scores", models=models, checkpoint=self.checkpoint, crf=self.crf)

    @property
    def _method(self) -> UrnConfig:
        """The method of phase 1."""
        method = self.base.method
        assert isinstance(method, UrnConfig)
        return method

    @property
    def _repeats_phase_1(self) -> bool:
        """Whether phase 2 with the masks of phase 0 would be the training of phase 1 again."""
        return (
            not (self.cyclic or self.model)
            and not self._method.under_fitting_limit
            and self.phase_1_steps == self.base.train.steps
        )

    def _phase_0(self) -> Iterator[Stage]:
        named = {"name": "phase_0", "folder": "targets/phase_0"}
        data = self.base.data
        if self.masks:
            needs_labels = not self.cyclic and self.start != "labeled"
            source = Path(self.masks)
            yield given.targets_of(**named, source=source, needs_labels=needs_labels)
        elif self.start != "image_labels":
            yield rough_masks.masks_of_labeled(**named, data=data)
        else:
            labels = "image_labels"
            yield labels_as_masks(name=labels, folder=f"targets/{labels}")
            yield self._training("classifier", labels, self.maps.classifier, self.maps.steps)
            yield activation_masks(**named, settings=self.maps)

    def _first(self) -> Iterator[Stage]:
        """Phase 1, and what is made of it."""
        if self.model:
            yield given.run_of(name="phase_1", source=Path(self.model))
        else:
            yield self._training("phase_1", "phase_0", self._method, self.phase_1_steps)
        scaling = Scaling(
            views=self.views,
            powers=self.powers,
            form=self.form,
            crf=self.crf,
            restored=self.restored,
        )
        rough = self.base.data.rough.kind
        yield cyclic_masks(
            name="cyclic",
            folder="targets/cyclic",
            masks="phase_0",
            model="phase_1",
            checkpoint=self.checkpoint,
            data=self.base.data,
            scaling=scaling,
            keeps_masks=self.start == "labeled",
            # Of a user's folder, the masks of the labeled images are the rough ones.
            is_exact=self.start != "rough" or bool(self.masks) or rough != "none",
            least=self._method.least,
        )

    def _phase_2(self, stage: str, weighting: str) -> Training:
        chosen = WEIGHTINGS[weighting]
        method = dataclasses.replace(self._method, weighting=chosen.form, under_fitting_limit=0.0)
        return self._training(stage, chosen.stage, method, self.base.train.steps)

    def _training(self, name: str, masks: str, method: MethodConfig, steps: int) -> Training:
        """A training on the masks that a stage writes."""
        base = self.base

        def configure(folders: Folders) -> Config:
            learnt = TargetsConfig(
                part="labeled",
                folders=(str(folders[masks]),),
                names="",
                weights=isinstance(method, UrnConfig) and method.weighting != "none",
                defect_share=0.0,
            )
            exact = dataclasses.replace(base.data.rough, kind="none")
            return dataclasses.replace(
                base,
                data=dataclasses.replace(base.data, rough=exact, targets=learnt),
                method=method,
                train=dataclasses.replace(base.train, steps=steps),
            )

        return Training(name=name, inputs=(masks,), configure=configure)
