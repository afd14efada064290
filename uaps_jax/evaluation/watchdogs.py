"""What is worth a warning while a run is still going on.

A watchdog is shown the numbers of every evaluation, in order, and says once what is wrong.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

STARVING = 0.1  # of a class's share of the labeled pixels
FALLEN = 0.5  # of the best score so far
NOTHING, PERFECT = 5.0, 99.9  # percent: below there is little to fall, above no way to rise
DIVERGED = 0.5  # distance of teacher and student, of the student's length
PATIENCE = 3  # evaluations in a row before it is said


class Watchdog(Protocol):
    """Watches the numbers whose names begin with `prefix`, in `metrics.jsonl`."""

    prefix: str

    def warnings(self, measured: Mapping[str, float]) -> list[str]:
        """What is to be said after an evaluation; the names come without the prefix."""


def warnings(
    watchdogs: Sequence[Watchdog], prefix: str, measured: Mapping[str, float]
) -> list[str]:
    """The warnings of the watchdogs of a prefix."""
    said = [watchdog.warnings(measured) for watchdog in watchdogs if watchdog.prefix == prefix]
    return [line for lines in said for line in lines]


def remember(watchdogs: Sequence[Watchdog], metrics: Path) -> None:
    """Shows the evaluations of a `metrics.jsonl` to the watchdogs of a run that goes on."""
    for line in metrics.read_text().splitlines() if metrics.exists() else ():
        record = json.loads(line)
        for watchdog in watchdogs:
            measured = {
                name.removeprefix(watchdog.prefix): math.nan if value is None else value
                for name, value in record.items()
                if name.startswith(watchdog.prefix) and isinstance(value, int | float | None)
            }
            with contextlib.suppress(KeyError):  # of a line that is damaged
                if measured:
                    watchdog.warnings(measured)


class ValidationScore:
    """Says when the validation score is dead: it does not move at all, or has fallen to half.

    A network that has collapsed to one class has the same score, to the last digit, at every
    evaluation.
    """

    prefix = "val/"

    def __init__(self, name: str) -> None:
        """Watches the score of this name, in percent."""
        self._name = name
        self._last, self._best = math.nan, 0.0
        self._same, self._low = 0, 0

    def warnings(self, measured: Mapping[str, float]) -> list[str]:
        """What is to be said after an evaluation."""
        score, said = measured[self._name], []
        self._same = self._same + 1 if score == self._last and score < PERFECT else 0
        self._low = self._low + 1 if score < FALLEN * self._best and self._best > NOTHING else 0
        self._last, self._best = score, max(self._best, score if math.isfinite(score) else 0.0)
        if self._same == PATIENCE:
            said.append(
                f"validation: {self._name} has been {score:.4g} at {PATIENCE + 1} evaluations in a "
                "row: the network may give the same class everywhere"
            )
        if self._low == PATIENCE:
            said.append(
                f"validation: {self._name} has fallen to {score:.4g}, from {self._best:.4g}"
            )
        return said


class Teacher:
    """Says when an averaged teacher diverges: it is far from its student, or not finite."""

    prefix = "teacher/"

    def __init__(self) -> None:
        """Nothing is known."""
        self._far, self._broken = 0, False

    def warnings(self, measured: Mapping[str, float]) -> list[str]:
        """What is to be said after an evaluation."""
        distance = measured["distance"]
        broken, was_broken = not math.isfinite(distance), self._broken
        self._far = 0 if distance <= DIVERGED else self._far + 1
        self._broken = broken
        if broken and not was_broken:
            return ["teacher: it is not finite any more"]
        if self._far == PATIENCE:
            return [
                f"teacher: it diverges from its student, their distance is {distance:.2g} of the "
                "student's length"
            ]
        return []


class PseudoLabels:
    """Says when a class starves: far fewer pixels are kept with its label than labels suggest.

    A class starves where its share of the kept pixels is less than a tenth of its share of the
    labeled ones. It is said once, after three evaluations in a row, because at the start
    everything is background, and so is a recovery.
    """

    prefix = "probe/"

    def __init__(self, expected: Mapping[str, float]) -> None:
        """Watches the classes of `expected`, percent of the labeled pixels, background first."""
        _, *self._defects = expected
        self._expected = {name: expected[name] for name in self._defects if expected[name]}
        self._starved = dict.fromkeys(self._expected, 0)
        self._collapsed = 0

    def warnings(self, measured: Mapping[str, float]) -> list[str]:
        """What is to be said after an evaluation."""
        said = []
        kept = measured["kept"]
        for name, expected in self._expected.items():
            share = 100 * measured[f"kept/{name}"] / kept if kept else 0.0
            starving = share < STARVING * expected
            if not starving and self._starved[name] >= PATIENCE:
                said.append(f"pseudo-labels: class {name} has recovered, {share:.2g} %")
            self._starved[name] = self._starved[name] + 1 if starving else 0
            if self._starved[name] == PATIENCE:
                said.append(
                    f"pseudo-labels: class {name} starves, {share:.2g} % of the kept pixels "
                    f"against {expected:.2g} % of the labeled ones"
                )
        defects = sum(measured[f"kept/{name}"] for name in self._defects)
        expected = sum(self._expected.values())
        collapsed = bool(kept) and 100 * defects / kept < STARVING * expected
        self._collapsed = self._collapsed + 1 if collapsed or not kept else 0
        if self._collapsed == PATIENCE:
            said.append(
                "pseudo-labels: no pixel is kept"
                if not kept
                else "pseudo-labels: they have collapsed to the background, "
                f"{100 * defects / kept:.2g} % defects against {expected:.2g} % of the labeled "
                "pixels"
            )
        return said


OF_DIAGNOSTICS: dict[str, Callable[[], Watchdog]] = {"teacher": Teacher}
"""Name of a method's diagnostic -> the watchdog that reads it."""
