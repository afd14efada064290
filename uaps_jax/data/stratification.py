"""Divides leakage groups into parts of given sizes, balanced over classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np


def stratify(
    names_of: Mapping[int, Sequence[str]],
    counts: Mapping[int, Counter[int]],
    shares: Mapping[str, float],
    generator: np.random.Generator,
    *,
    exact: bool = False,
) -> dict[str, list[int]]:
    """Divides leakage groups into parts with given shares of the images, balanced over classes.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas, 2011, Alg. 1) of groups instead of
    examples, the rarest class first. Every part gets each class if there are enough groups. After
    that, groups are moved to bring the sizes of the parts to their shares.

    Args:
      names_of: group -> names of its images.
      counts: group -> class -> number of images of the group with this class.
      shares: part -> share of the images.
      generator: draws the order in which groups are assigned.
      exact: whether sizes have priority over classes: a part may lose its last group of a class if
        its size cannot be reached otherwise.

    Returns:
      part -> groups.
    """
    groups = sorted(names_of)
    order = [groups[i] for i in generator.permutation(len(groups))]
    totals: Counter[int] = sum((counts[group] for group in groups), Counter())
    size = sum(len(names_of[group]) for group in groups)
    # The number of images that each part still needs: of every class, and in total.
    wanted = {p: {c: share * n for c, n in totals.items()} for p, share in shares.items()}
    missing = {part: share * size for part, share in shares.items()}
    part_of: dict[int, str] = {}

    def assign(group: int, part: str, sign: int = 1) -> None:
        for label, count in counts[group].items():
            wanted[part][label] -= sign * count
        missing[part] -= sign * len(names_of[group])

    while len(part_of) < len(groups):
        left = Counter(c for group in groups if group not in part_of for c in counts[group])
        rarest = min(left, key=lambda c: (left[c], c))
        own = [g for g in order if g not in part_of and rarest in counts[g]]
        seen = {part_of[g] for g in part_of if rarest in counts[g]}
        for index, group in enumerate(own):
            # The last groups of a class go to the parts that do not have the class yet.
            lacking = [p for p in shares if p not in seen and missing[p] > 0 and shares[p] > 0]
            among = lacking if len(own) - index <= len(lacking) else list(shares)
            part = max(among, key=lambda p: (wanted[p][rarest], missing[p], p))
            seen.add(part)
            part_of[group] = part
            assign(group, part)

    for _ in groups:
        full, empty = (
            min(missing, key=lambda p: (missing[p], p)),
            max(missing, key=lambda p: (missing[p], p)),
        )
        gap = missing[empty] - missing[full]
        held = Counter(c for group in groups if part_of[group] == full for c in counts[group])
        small = [g for g in order if part_of[g] == full and len(names_of[g]) < gap]
        movable = [g for g in small if all(held[c] > 1 for c in counts[g])]
        if exact:
            movable = movable or small
        if not movable or gap <= 1:
            break
        # The group whose classes have the largest excess in `full` relative to `empty`.
        best = max(
            movable,
            key=lambda g: min(wanted[empty][c] - wanted[full][c] for c in counts[g]),
        )
        assign(best, full, -1)
        assign(best, empty)
        part_of[best] = empty
    return {part: [group for group in order if part_of[group] == part] for part in shares}
