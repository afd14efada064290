"""Text that a terminal, a list of lines and a file in UTF-8 can hold as it is."""

from __future__ import annotations

import re

# Control characters, separators of lines, and the surrogates that stand for bytes that are no
# UTF-8.
_SPECIAL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

NAME_REASON = "its name holds control characters, or bytes that are not UTF-8; rename it"


def is_plain(text: str) -> bool:
    """Whether there is no control character, no end of a line and nothing but Unicode in it."""
    return _SPECIAL.search(text) is None


def shown(text: str) -> str:
    r"""The text with everything escaped that is not plain.

    Example:
      >>> print(shown("a\x1b[2J\udce4.png"))
      a\x1b[2J\udce4.png
    """
    return _SPECIAL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
