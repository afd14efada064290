"""Links to the files of `examples/`: the site has a copy of each, to which they lead."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

PROJECT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\((?:\.\./)+(examples/\w+\.(?:py|cpp))\)")


def on_files(files: Any, config: Any) -> Any:
    """Adds the files to those of the site."""
    for file in sorted((PROJECT / "examples").glob("*.*")):
        files.append(File.generated(config, f"examples/{file.name}", abs_src_path=str(file)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Makes links that are relative to the repository relative to the site."""
    folder = posixpath.dirname(page.file.src_uri)
    return LINK.sub(lambda found: f"]({posixpath.relpath(found.group(1), folder)})", markdown)
