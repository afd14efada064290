"""What an audit notices."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that an audit noticed.

    Attributes:
      level: "warning": a score may not mean what it seems to; "note": good to know. What keeps
        training from starting is no finding but an error.
      title: what, in a few words.
      text: how much of it, and what it means.
      names: the images that show it.
    """

    level: str
    title: str
    text: str
    names: tuple[str, ...] = ()
