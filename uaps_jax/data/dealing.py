"""Divides leakage groups into parts of given sizes, balanced over classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np


def deal(
    names_of: Mapping[int, Sequence[str]],
    holds: Mapping[int, Counter[int]],
    shares: Mapping[str, float],
    generator: np.random.Generator,
    *,
    exact: bool = False,
) -> dict[str, list[int]]:
    """Divides groups by shares of images, balanced over classes, the rarest first.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas, 2011, Alg. 1) with groups in the
    place of examples; each part gets every class while there are groups enough; then moves that
    bring the sizes of the parts to their shares.

    Args:
      names_of: group -> names.
      holds: group -> class -> images of it in the group.
      shares: of each part.
      generator: of the order in which groups are dealt.
      exact: whether sizes come before classes: a part may lose the last group of a class where
        its share cannot be reached otherwise.

    Returns:
      part -> groups.
    """
    groups = sorted(names_of)
    order = [groups[i] for i in generator.permutation(len(groups))]
    totals: Counter[int] = sum((holds[group] for group in groups), Counter())
    size = sum(len(names_of[group]) for group in groups)
    # What each part still wants, of every class and in all.
    wanted = {p: {c: share * n for c, n in totals.items()} for p, share in shares.items()}
    missing = {part: share * size for part, share in shares.items()}
    part_of: dict[int, str] = {}

    def give(group: int, part: str, sign: int = 1) -> None:
        for label, count in holds[group].items():
            wanted[part][label] -= sign * count
        missing[part] -= sign * len(names_of[group])

    while len(part_of) < len(groups):
        left = Counter(c for group in groups if group not in part_of for c in holds[group])
        rarest = min(left, key=lambda c: (left[c], c))
        own = [g for g in order if g not in part_of and rarest in holds[g]]
        seen = {part_of[g] for g in part_of if rarest in holds[g]}
        for index, group in enumerate(own):
            # The last groups of a class are for the parts that would go without it.
            lacking = [p for p in shares if p not in seen and missing[p] > 0 and shares[p] > 0]
            among = lacking if len(own) - index <= len(lacking) else list(shares)
            part = max(among, key=lambda p: (wanted[p][rarest], missing[p], p))
            seen.add(part)
            part_of[group] = part
            give(group, part)

    for _ in groups:
        full, empty = (
            min(missing, key=lambda p: (missing[p], p)),
            max(missing, key=lambda p: (missing[p], p)),
        )
        gap = missing[empty] - missing[full]
        held = Counter(c for group in groups if part_of[group] == full for c in holds[group])
        small = [g for g in order if part_of[g] == full and len(names_of[g]) < gap]
        movable = [g for g in small if all(held[c] > 1 for c in holds[g])]
        if exact:
            movable = movable or small
        if not movable or gap <= 1:
            break
        # The one whose classes the full part has most too much of, and the empty one too little.
        best = max(
            movable,
            key=lambda g: min(wanted[empty][c] - wanted[full][c] for c in holds[g]),
        )
        give(best, full, -1)
        give(best, empty)
        part_of[best] = empty
    return {part: [group for group in order if part_of[group] == part] for part in shares}
