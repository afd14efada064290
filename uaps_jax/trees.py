"""The type of nested dicts of arrays."""

from __future__ import annotations

from typing import Any

import jax

Tree = dict[str, Any]
"""Nested dicts whose leaves are arrays."""


def named_leaves(tree: Any) -> dict[str, Any]:
    """Path -> leaf of any pytree; the names of a path are joined by "/"."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
