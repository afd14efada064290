"""Corrects attributes in the HTML of the theme that the HTML standard does not allow."""

from __future__ import annotations

import re
from typing import Any

EMPTY_TABINDEX = re.compile(r'(<\w[^<>]*?) tabindex=""')
AUTOCOMPLETE = re.compile(r'(<input\b[^>]*type="checkbox"[^>]*?) autocomplete="\w+"')


def on_post_page(output: str, **_: Any) -> str:
    """Corrects a page."""
    return AUTOCOMPLETE.sub(r"\1", EMPTY_TABINDEX.sub(r"\1", output))


def on_post_template(output_content: str, **_: Any) -> str:
    """Corrects a page of the theme's own, such as `404.html`."""
    return on_post_page(output_content)
