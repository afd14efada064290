"""Formulas: a block ```math of LaTeX becomes MathML, which browsers show without a script."""

from __future__ import annotations

from typing import Any

from latex2mathml.converter import convert


def on_config(config: Any) -> Any:
    """Registers the block for the extension that reads fenced code."""
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {})
    fences.setdefault("custom_fences", []).append(
        {"name": "math", "class": "formula", "format": formula}
    )
    return config


def formula(source: str, language: str, css_class: str, *_: Any, **__: Any) -> str:
    """The HTML of one block; on a narrow screen it is scrolled, by keyboard too."""
    mathml = convert(source.strip(), display="block")
    return f'<div class="{css_class}" tabindex="0" role="group" aria-label="formula">{mathml}</div>'
