"""Names for the nested dicts of arrays that variables, batches and measurements are."""

from __future__ import annotations

from typing import Any

Tree = dict[str, Any]
"""Nested dicts whose leaves are arrays."""
