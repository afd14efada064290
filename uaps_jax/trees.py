"""The type of nested dicts of arrays."""

from __future__ import annotations

from typing import Any

Tree = dict[str, Any]
"""Nested dicts whose leaves are arrays."""
