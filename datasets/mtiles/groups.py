"""The leakage groups of the magnetic tiles: pictures of the same tile.

A file name says at which exposure a picture was taken and when: `exp3_num_45042` is capture 45042,
at the third exposure of six. A tile was left under the camera while the exposure rose, so its
pictures are captures that follow each other, at rising exposures. They differ in brightness and
a little in their crop: divided between training and test, they leak.

Folders do not separate tiles: a defect that one exposure does not show puts that picture of the
tile among the defect-free ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

UNKNOWN = -1
"""The group of an image whose name has another form."""

PAUSE = 600
"""Captures within which a tile's next exposure follows.

Most of the pictures on both sides of a pause of 186 to 557 captures are alike (correlations above
0.8). With 600, all but 12 of the runs have every exposure from 1 to 6.
"""

RESHOTS = (
    (range(5874, 5960), range(13526, 13690)),
    (range(8676, 9197), range(10334, 10791)),
    (range(36246, 36303),),
    (range(37056, 37676),),
    (range(53011, 53081), range(65001, 65068)),
    (range(85602, 88202),),
    (range(108719, 108924),),
    (range(306586, 306697), range(309352, 309444)),
    (range(320808, 320896),),
    (range(355636, 355733), range(358102, 358180)),
)
"""Captures of tiles that were under the camera more than once, one tile a line.

No rule on names finds them. Pictures at the same exposure were correlated (a test repeats it), and
which of the pairs above 0.8 are one tile was decided by eye.
"""

_NAME = re.compile(r"exp(\d+)_num_(\d+)")


class Shot(NamedTuple):
    """One picture; shots sort in the order in which they were taken."""

    capture: int
    exposure: int
    name: str


def parse(name: str) -> Shot | None:
    """The shot of a file name without suffix; None if it has another form.

    Example:
      >>> parse("exp3_num_45042")
      Shot(capture=45042, exposure=3, name='exp3_num_45042')
    """
    match = _NAME.fullmatch(name)
    return Shot(int(match[2]), int(match[1]), name) if match else None


def runs(shots: Iterable[Shot]) -> list[list[Shot]]:
    """The series of rising exposures, each of one tile, in the order of their first shots.

    A shot is added to the run whose last exposure is the highest below its own, if that is at most
    `PAUSE` captures ago; the older run if two are alike, for then the newer has begun meanwhile and
    overlaps it. Otherwise it starts a run. Two tiles shot in turns give two runs.
    """
    runs: list[list[Shot]] = []
    for shot in sorted(shots):
        waiting = [
            run
            for run in runs
            if run[-1].exposure < shot.exposure and shot.capture - run[-1].capture <= PAUSE
        ]
        if waiting:
            max(waiting, key=lambda run: run[-1].exposure).append(shot)
        else:
            runs.append([shot])
    return runs


def groups(names: Iterable[str]) -> Mapping[str, int]:
    """The group of each picture, numbered in the order of the captures.

    Runs that overlap in time share a group, because the run of each of their shots is uncertain; so
    do the runs of `RESHOTS`. Joining two tiles costs nothing, dividing one would leak.

    Args:
      names: file names without suffix, each once.

    Returns:
      name -> group, `UNKNOWN` for names of another form.
    """
    shots = {name: parse(name) for name in names}
    tiles: list[list[Shot]] = []
    for run in runs(shot for shot in shots.values() if shot):
        if tiles and run[0].capture < max(shot.capture for shot in tiles[-1]):
            tiles[-1] += run
        else:
            tiles.append(run)
    for captures in RESHOTS:
        tiles = _joined(tiles, captures)
    known = {shot.name: group for group, tile in enumerate(tiles) for shot in tile}
    return {name: known.get(name, UNKNOWN) for name in shots}


def _joined(tiles: list[list[Shot]], captures: tuple[range, ...]) -> list[list[Shot]]:
    """The tiles, with all that have a shot in one of the ranges made one, in the first's place."""
    same: list[Shot] = []
    others: list[list[Shot]] = []
    for tile in tiles:
        if not any(shot.capture in span for shot in tile for span in captures):
            others.append(tile)
        else:
            if not same:
                others.append(same)
            same += tile
    return others
