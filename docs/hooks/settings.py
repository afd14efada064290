"""Tables of settings, made from the schema when the site is built.

`<!-- settings: data.folder -->` becomes the table of that section of a configuration, with the
values of UAPS on NEU-Seg; `<!-- settings: method cps -->` that of a method, with the values of its
published settings; `<!-- settings: network unet -->` that of a family of networks;
`<!-- settings: recipe mtiles_stpp -->` that of the recipe of a configuration file, `<!-- settings:
recipe neu_active cost -->` that of a section of it;
`<!-- methods -->` the table of all methods; `<!-- networks -->` that of all networks.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import io
import re
import sys
import tokenize
import typing
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))  # `mkdocs`, unlike `python -m mkdocs`, does not

MARKER = re.compile(r"^<!-- (settings: .+|methods|networks) -->$", re.MULTILINE)
CONFIGS = "uaps_jax.configs"
SHOWN = "neu_uaps"
"""The configuration file whose values are shown for what all runs have."""


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Replaces the markers of a page."""
    return MARKER.sub(lambda match: table_for(match.group(1), page.file.src_uri), markdown)


def table_for(marker: str, page: str) -> str:
    """The table of a marker.

    Args:
      marker: what stands in the comment.
      page: the page's file, for links.
    """
    if marker == "methods":
        return methods_table(Path(PROJECT, "docs", page).parent)
    if marker == "networks":
        return networks_table()
    words = marker.removeprefix("settings: ").split()
    if words[0] in ("method", "network") and len(words) == 2:
        own = of_network(words[1]) if words[0] == "network" else of_method(words[1]).method
        return table(words[0], own)
    if words[0] == "recipe":
        recipe = published(words[1])
        return table(words[2], getattr(recipe, words[2])) if words[2:] else table("", recipe)
    section = published(SHOWN)
    for name in words[0].split("."):
        section = getattr(section, name)
    return table(words[0], section)


def published(file: str) -> Any:
    """What a file of `configs/` gives without a variant."""
    return importlib.import_module(f"{CONFIGS}.{file}").get_config()


def of_method(name: str) -> Any:
    """The published settings of a method on NEU-Seg, or, where there are none, our own."""
    from uaps_jax.config import Config

    if (PROJECT / "configs" / f"neu_{name}.py").is_file():
        config = published(f"neu_{name}")
        if isinstance(config, Config):  # not a recipe
            return config
    return importlib.import_module(f"{CONFIGS}.train").build(dataset="neu", method=name)


def methods_table(folder: Path) -> str:
    """Every registered method with the first line of its file, and its page if there is one."""
    from uaps_jax import methods

    lines = ["| `method.name` | what it is |", "|---|---|"]
    for name, build in methods.METHODS.items():
        doc = inspect.getdoc(inspect.getmodule(build)) or ""
        linked = f"[`{name}`]({name}.md)" if (folder / f"{name}.md").is_file() else f"`{name}`"
        lines.append(f"| {linked} | {escaped(doc.splitlines()[0])} |")
    return "\n".join(lines)


def of_network(name: str) -> Any:
    """The settings of a network of `configs/train.py`."""
    return importlib.import_module(f"{CONFIGS}.parts.networks").NETWORKS[name]()


def networks_table() -> str:
    """Every network of `configs/train.py`, with its family, its encoder and its stride."""
    networks = importlib.import_module(f"{CONFIGS}.parts.networks").NETWORKS
    lines = ["| `network=` | what it is | decoder | encoder | stride |", "|---|---|---|---|---|"]
    for name, build in networks.items():
        section, doc = build(), (inspect.getdoc(build) or "").splitlines()[0]
        encoder = f"`{section.encoder}`" if hasattr(section, "encoder") else "its own"
        cells = (f"`{name}`", doc.removesuffix("."), f"`{section.name}`", encoder, section.stride)
        lines.append(f"| {' | '.join(escaped(str(cell)) for cell in cells)} |")
    return "\n".join(lines)


def table(key: str, section: Any) -> str:
    """The settings of one section, without those of the sections in it."""
    from uaps_jax.config import Section

    lines = ["| setting | type and range | what it is | value |", "|---|---|---|---|"]
    comments: dict[str, str] = {}
    for kind in reversed(type(section).__mro__):
        if dataclasses.is_dataclass(kind):
            comments |= comments_of(kind)
    prefix = key and f"{key}."
    for field in dataclasses.fields(section):
        value = getattr(section, field.name)
        if isinstance(value, Section):
            lines.append(f"| `{prefix}{field.name}.*` | section | | |")
            continue
        cells = (f"`{prefix}{field.name}`", kind_of(field), comments[field.name], f"`{value!r}`")
        lines.append(f"| {' | '.join(map(escaped, cells))} |")
    return "\n".join(lines)


def kind_of(field: dataclasses.Field[Any]) -> str:
    """The type of a setting, its choices or its range."""
    from uaps_jax.config.rules import RULE

    if typing.get_origin(field.type) is typing.Literal:
        return ", ".join(f"`{choice}`" for choice in typing.get_args(field.type))
    name = getattr(field.type, "__name__", str(field.type))
    if typing.get_origin(field.type) is tuple:
        name = str(field.type)
    rule = field.metadata.get(RULE)
    return f"`{name}`" + (f"; {rule.message}" if rule else "")


def comments_of(kind: type) -> dict[str, str]:
    """Field of a section -> the comment behind it or, on lines of its own, above it."""
    source = inspect.getsource(kind)
    at = {
        token.start[0]: (token.string.lstrip("# "), token.line.lstrip().startswith("#"))
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found = {}
    for node in ast.parse(source).body[0].body:  # type: ignore[attr-defined]
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        above, line = [], node.lineno - 1
        while at.get(line, ("", False))[1]:
            above.insert(0, at[line][0])
            line -= 1
        behind = [
            at[n][0]
            for n in range(node.lineno, (node.end_lineno or node.lineno) + 1)
            if n in at and not at[n][1]
        ]
        found[node.target.id] = " ".join([*above, *behind])
    return found


def escaped(text: str) -> str:
    """Text of a cell of a table."""
    return text.replace("|", "\\|")
