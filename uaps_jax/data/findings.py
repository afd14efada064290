"""Findings of an audit."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding of an audit. Problems that prevent training are errors and not findings.

    Attributes:
      level: "warning" if scores may be misleading, otherwise "note".
      title: the finding in a few words.
      text: numbers, and what they mean.
      names: of the images concerned.
    """

    level: str
    title: str
    text: str
    names: tuple[str, ...] = ()
