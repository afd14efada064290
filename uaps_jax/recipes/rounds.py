"""The stages of rounds of annotation: choose, annotate, train, for one strategy or several."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from uaps_jax.acquisition.cost import Cost
from uaps_jax.config import Config
from uaps_jax.recipes import acquire, candidates, curve
from uaps_jax.recipes.acquire import AcquisitionConfig, Features
from uaps_jax.recipes.annotate import annotate
from uaps_jax.recipes.select import Round, select
from uaps_jax.recipes.stage import Folders, Stage, Training
from uaps_jax.reports.learning_curves import Question

Start = Literal["random", "class_aware_random", "typiclust", "facility_location"]

BASELINES: Mapping[str, Start] = {
    "random": "random",
    "class_aware_random": "class_aware_random",
    "mean_entropy": "random",
}
"""Strategies that others are compared with -> their start."""


class Chain(NamedTuple):
    """A strategy.

    Attributes:
      name: of its folder and in reports.
      start: the choice of the first images; strategies with equal starts share the training.
      acquisition: the choice of every further round.
    """

    name: str
    start: AcquisitionConfig
    acquisition: AcquisitionConfig


def strategies(
    own: AcquisitionConfig, start: Start, features: Features, baselines: Sequence[str]
) -> list[Chain]:
    """The strategy of a recipe, named by its selection, and its baselines.

    Args:
      own: the choice of its rounds.
      start: of its first images.
      features: of the start.
      baselines: names of `BASELINES`.
    """
    first = dataclasses.replace(own, selection=start, features=features)
    found = [Chain(own.selection, first, own)]
    for name in baselines:
        first = dataclasses.replace(own, selection=BASELINES[name])
        if name == "mean_entropy":
            further = dataclasses.replace(
                own,
                selection="highest",
                uncertainty="entropy",
                aggregation="mean",
                members="prediction",
            )
        else:
            further = first
        found.append(Chain(name, first, further))
    return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What the strategies share.

    Attributes:
      base: the settings of every training.
      start_images: labeled images of the start.
      added: images or hours that each further round adds.
      in_hours: whether these are hours.
      cost: of annotation.
      warm_start: whether a training begins with the weights of the round before.
      simulated: whether chosen images are annotated by the masks of the dataset.
      steps: of further checkpoints that the members "checkpoints" compare.
      question: of the report.
    """

    base: Config
    start_images: int
    added: Sequence[float]
    in_hours: bool
    cost: Cost
    warm_start: bool
    simulated: bool
    steps: tuple[int, ...]
    question: Question


class Labels(NamedTuple):
    """The stages of a round: the one with its labels, and its training."""

    labels: str
    model: str


def stages(plan: Plan, chains: Sequence[Chain]) -> tuple[Stage, ...]:
    """The stages of all strategies, round by round, and of the report."""
    found: list[Stage] = []
    rounds: dict[str, list[Labels]] = {}
    for chain in chains:
        folder = f"start_{chain.start.selection}"
        start = Labels(f"{folder}/{'select' if plan.simulated else 'annotate'}", f"{folder}/train")
        if all(start not in others for others in rounds.values()):
            found += _round(plan, folder, "", 0, chain.start, None)
        rounds[chain.name] = [start]
    for number in range(1, len(plan.added) + 1):
        for chain in chains:
            folder = f"{chain.name}/round_{number}"
            before = rounds[chain.name][-1]
            new = _round(plan, folder, chain.name, number, chain.acquisition, before)
            rounds[chain.name].append(Labels(new[-2].name, new[-1].name))
            found += new
    title = f"Rounds of annotation, {plan.base.data.name}, {plan.base.method.name}"
    found.append(
        curve.report(
            name="report",
            title=title,
            chains=rounds,
            question=plan.question,
            cost=plan.cost,
            notes=other_starts(chains),
        )
    )
    return tuple(found)


def other_starts(chains: Sequence[Chain]) -> list[str]:
    """A sentence for a report on strategies whose start is not that of the first one."""
    own = chains[0].start.selection
    others = [
        f"{chain.name} ({chain.start.selection})"
        for chain in chains
        if chain.start.selection != own
    ]
    if not others:
        return []
    return [
        f"Other start: {', '.join(others)}; {chains[0].name} starts with {own}. A difference "
        "between them is that of the starts, too."
    ]


def _round(
    plan: Plan,
    folder: str,
    entry: str,
    number: int,
    acquisition: AcquisitionConfig,
    before: Labels | None,
) -> list[Stage]:
    """The stages of one round, the last two those of `Labels`; the start is of no strategy, ""."""
    in_minutes = plan.in_hours and number > 0
    chosen = Round(
        number=number,
        acquisition=acquisition,
        count=0 if in_minutes else int(plan.added[number - 1]) if number else plan.start_images,
        minutes=60 * sum(plan.added[:number]) if in_minutes else 0.0,
        cost=plan.cost,
        simulated=plan.simulated,
        steps=_compared(plan, acquisition) if number else (),
    )
    selected = select(
        name=f"{folder}/select",
        entry=entry,
        base=plan.base,
        round_=chosen,
        before=before.labels if before else "",
        model=before.model if before else "",
    )
    found: list[Stage] = [selected]
    if not plan.simulated:
        name = f"{folder}/annotate"
        found.append(
            annotate(
                name=name,
                selected=selected.name,
                base=plan.base,
                cost=plan.cost,
                question=plan.question,
            )
        )
    # Strategies whose choices differ may share a start.
    kept = _compared(plan, acquisition) if number else plan.steps
    found.append(_training(plan, f"{folder}/train", found[-1].name, before, kept))
    return found


def _compared(plan: Plan, acquisition: AcquisitionConfig) -> tuple[int, ...]:
    """Steps of the checkpoints that a choice compares besides the last one."""
    by_score = acquisition.selection in acquire.BY_SCORE
    return plan.steps if by_score and acquisition.members == "checkpoints" else ()


def _training(
    plan: Plan, name: str, labels: str, before: Labels | None, steps: Sequence[int]
) -> Training:
    """The training of a round, on the labels of a stage, which keeps further checkpoints."""
    warm = before.model if before is not None and plan.warm_start else ""

    def configure(folders: Folders) -> Config:
        base = plan.base
        if plan.simulated:
            listed = str(folders[labels] / candidates.LABELED)
            data = dataclasses.replace(base.data, labeled_list=listed)
        else:
            split = str(folders[labels] / candidates.SPLIT)
            data = dataclasses.replace(base.data, protocol="file", split_file=split)
        kept = tuple(sorted({*base.checkpoint.keep_at, *steps}))
        network = base.network
        if warm:
            network = dataclasses.replace(
                network, pretrained=str(folders[warm]), pretrained_parts="all"
            )
        return dataclasses.replace(
            base,
            data=data,
            network=network,
            checkpoint=dataclasses.replace(base.checkpoint, keep_at=kept),
        )

    inputs = (labels, warm) if warm else (labels,)
    return Training(name=name, inputs=inputs, configure=configure)
