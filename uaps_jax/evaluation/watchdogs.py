"""Warnings about a run in progress.

A watchdog reads the metrics of every evaluation, in order, and warns once of each problem.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

STARVING = 0.1  # of the percentage of a class in the labeled pixels
FALLEN = 0.5  # of the best score so far
NOTHING, PERFECT = 5.0, 99.9  # percent: no warning of a fall below, or of a constant score above
DIVERGED = 0.5  # distance of teacher and student, relative to the student's norm
PATIENCE = 3  # evaluations in a row before a warning


class Watchdog(Protocol):
    """Checks the metrics whose names in `metrics.jsonl` begin with `prefix`."""

    prefix: str

    def warnings(self, metrics: Mapping[str, float]) -> list[str]:
        """The warnings after an evaluation; the names are without the prefix."""


def warnings(watchdogs: Sequence[Watchdog], prefix: str, metrics: Mapping[str, float]) -> list[str]:
    """The warnings of the watchdogs of a prefix."""
    return [
        line
        for watchdog in watchdogs
        if watchdog.prefix == prefix
        for line in watchdog.warnings(metrics)
    ]


def restore(watchdogs: Sequence[Watchdog], file: Path) -> None:
    """Gives the watchdogs of a resumed run the earlier evaluations, from its `metrics.jsonl`."""
    for line in file.read_text().splitlines() if file.exists() else ():
        entry = json.loads(line)
        for watchdog in watchdogs:
            metrics = {
                name.removeprefix(watchdog.prefix): math.nan if value is None else value
                for name, value in entry.items()
                if name.startswith(watchdog.prefix) and isinstance(value, int | float | None)
            }
            with contextlib.suppress(KeyError):  # of a damaged line
                if metrics:
                    watchdog.warnings(metrics)


class ValidationScore:
    """Warns if the validation score does not change, or has fallen to half of the best one.

    A network that predicts one class everywhere has exactly the same score at every evaluation.
    """

    prefix = "val/"

    def __init__(self, name: str) -> None:
        self._name = name
        self._last, self._best = math.nan, 0.0
        self._same, self._low = 0, 0

    def warnings(self, metrics: Mapping[str, float]) -> list[str]:
        score, lines = metrics[self._name], []
        self._same = self._same + 1 if score == self._last and score < PERFECT else 0
        self._low = self._low + 1 if score < FALLEN * self._best and self._best > NOTHING else 0
        self._last, self._best = score, max(self._best, score if math.isfinite(score) else 0.0)
        if self._same == PATIENCE:
            lines.append(
                f"validation: {self._name} has been {score:.4g} at {PATIENCE + 1} evaluations in a "
                "row: the network may give the same class everywhere"
            )
        if self._low == PATIENCE:
            lines.append(
                f"validation: {self._name} has fallen to {score:.4g}, from {self._best:.4g}"
            )
        return lines


class Teacher:
    """Warns if an EMA teacher diverges: it is far from its student, or not finite."""

    prefix = "teacher/"

    def __init__(self) -> None:
        self._far, self._broken = 0, False

    def warnings(self, metrics: Mapping[str, float]) -> list[str]:
        distance = metrics["distance"]
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
    """Warns if a class starves: it has few kept pseudo-labels.

    A class starves if its percentage of the kept pixels is less than a tenth of its percentage of
    the labeled pixels. The warning comes once, after three evaluations in a row, because at the
    start everything is background. A recovery is reported too.
    """

    prefix = "probe/"

    def __init__(self, expected: Mapping[str, float]) -> None:
        """`expected`: class -> percent of the labeled pixels, background first."""
        _, *self._defects = expected
        self._expected = {name: expected[name] for name in self._defects if expected[name]}
        self._starved = dict.fromkeys(self._expected, 0)
        self._collapsed = 0

    def warnings(self, metrics: Mapping[str, float]) -> list[str]:
        lines = []
        kept = metrics["kept"]
        for name, expected in self._expected.items():
            share = 100 * metrics[f"kept/{name}"] / kept if kept else 0.0
            starving = share < STARVING * expected
            if not starving and self._starved[name] >= PATIENCE:
                lines.append(f"pseudo-labels: class {name} has recovered, {share:.2g} %")
            self._starved[name] = self._starved[name] + 1 if starving else 0
            if self._starved[name] == PATIENCE:
                lines.append(
                    f"pseudo-labels: class {name} starves, {share:.2g} % of the kept pixels "
                    f"against {expected:.2g} % of the labeled ones"
                )
        defects = sum(metrics[f"kept/{name}"] for name in self._defects)
        expected = sum(self._expected.values())
        collapsed = bool(kept) and 100 * defects / kept < STARVING * expected
        self._collapsed = self._collapsed + 1 if collapsed or not kept else 0
        if self._collapsed == PATIENCE:
            lines.append(
                "pseudo-labels: no pixel is kept"
                if not kept
                else "pseudo-labels: they have collapsed to the background, "
                f"{100 * defects / kept:.2g} % defects against {expected:.2g} % of the labeled "
                "pixels"
            )
        return lines


OF_DIAGNOSTICS: dict[str, Callable[[], Watchdog]] = {"teacher": Teacher}
"""Name of a method's diagnostic -> its watchdog."""
