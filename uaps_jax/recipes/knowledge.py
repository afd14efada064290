"""What a choice may know: the candidates, their scores and features, their price."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from uaps_jax.acquisition.cost import NONE, Cost, Work
from uaps_jax.config import Config
from uaps_jax.data import protocols
from uaps_jax.data.source import Dataset
from uaps_jax.datasets.common import read_mask
from uaps_jax.inference import TrainedModel
from uaps_jax.recipes import acquire, candidates, image_features, observe
from uaps_jax.recipes.acquire import AcquisitionConfig, Known
from uaps_jax.recipes.observe import Observed


def candidates_of(
    dataset: Dataset,
    base: Config,
    split: Mapping[str, Sequence[str]],
    labeled: Collection[str],
    *,
    simulated: bool,
) -> list[str]:
    """The images that can be chosen, and those that are labeled; sorted."""
    if simulated:
        return pool(dataset, base, split["labeled"])
    evaluated = {*split["val"], *split["test"]}
    held = {dataset.groups[name] for name in evaluated if dataset.groups[name] >= 0}
    free = [n for n, group in dataset.groups.items() if group not in held and n not in evaluated]
    return candidates.one_of_each_group(free, dataset.groups, base.data.split_seed, labeled)


def pool(dataset: Dataset, base: Config, names: Sequence[str]) -> list[str]:
    """The candidates of a simulation: under `grouped`, one image of each leakage group."""
    if base.data.protocol != "grouped":
        return sorted(names)
    return candidates.one_of_each_group(names, dataset.groups, base.data.split_seed)


def known(
    options: AcquisitionConfig,
    cost: Cost,
    features: str,
    base: Config,
    dataset: Dataset,
    names: Sequence[str],
    trained: Sequence[TrainedModel],
) -> tuple[Known, Observed | None]:
    """What the choice may use, and what the network finds, if there is one.

    Args:
      options: the choice.
      cost: of annotation; before there is a network, every image has one object.
      features: of `image_features`, in place of those of the training; "": none.
      base: the settings of the recipe's trainings.
      dataset: of the candidates.
      names: of the candidates.
      trained: checkpoints, the newest last; empty before there is one.
    """
    classes, compared = None, None
    if features:
        compared = image_features.of_images(features, base, dataset, names)
    if options.selection in acquire.BY_TRUTH:
        classes = list(protocols.classes_of(dataset, names).values())
    if trained:
        score = options.score if options.selection in acquire.BY_SCORE else None
        found = observe.observed(trained, dataset, names, score, options.members)
        work = [Work.of(read_mask(mask)) for mask in found.masks]
        minutes = np.array([cost.of_work(one) for one in work])
        of_images = found.features if compared is None else compared
        return Known(found.scores, of_images, classes, minutes, work), found
    first = Work(images=1, objects=1, boundary=0)
    minutes = np.full(len(names), cost.of_work(first))
    return Known(None, compared, classes, minutes, [first] * len(names)), None


def true_work(dataset: Dataset, names: Sequence[str]) -> Work:
    """What there was to annotate in images that have a mask, by these."""
    total = NONE
    for name in names:
        part, index = dataset.position[name]
        total = total.plus(Work.of(read_mask(dataset.records[part][index]["mask"])))
    return total
