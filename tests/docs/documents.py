"""The documents of the project, and what stands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PAGES = sorted((PROJECT / "docs").rglob("*.md"))
DOCUMENTS = [
    *PAGES,
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    PROJECT / "benchmarks" / "README.md",
    *sorted((PROJECT / "datasets").glob("*/README.md")),
]

COMMAND = re.compile(r"(?:^\s*|python )(?:uaps-jax|run\.py) (--.*)$", re.MULTILINE)
FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def name(file: Path) -> str:
    """A document, for the name of a test."""
    return str(file.relative_to(PROJECT))


def commands(file: Path) -> Iterator[list[str]]:
    """The arguments of every command line of the program in a document."""
    for found in COMMAND.finditer(file.read_text().replace("\\\n", " ")):
        yield shlex.split(found.group(1))


def blocks(file: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [text for kind, text in FENCED.findall(file.read_text()) if kind == language]


def inline_code(file: Path) -> list[str]:
    """What stands between single backquotes, outside of fenced blocks."""
    return CODE.findall(FENCED.sub("", file.read_text()))
