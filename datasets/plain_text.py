"""Text without control characters, for terminals, lists of lines and UTF-8 files."""

from __future__ import annotations

import re

# Control characters, separators of lines, and the surrogates that represent bytes that are not
# UTF-8.
_SPECIAL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

NAME_REASON = "its name holds control characters, or bytes that are not UTF-8; rename it"


def is_plain(text: str) -> bool:
    """Whether it has no control characters, no line separators and only valid Unicode."""
    return _SPECIAL.search(text) is None


def shown(text: str) -> str:
    r"""The text with all characters escaped that are not plain.

    Example:
      >>> print(shown("a\x1b[2J\udce4.png"))
      a\x1b[2J\udce4.png
    """
    return _SPECIAL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
