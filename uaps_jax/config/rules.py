"""Ranges of settings, written beside the field: `rate: float = field(metadata=within(0, 1))`.

Each function returns the metadata of a `dataclasses.field`; the field has no default value.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

RULE = "rule"
"""The key of the rule in a field's metadata."""

Metadata = Mapping[str, "Rule"]


@dataclasses.dataclass(frozen=True)
class Rule:
    """A condition on the value of a setting.

    Attributes:
      is_allowed: whether a value, which has the field's type, is allowed.
      message: the condition in words, such as "must be positive".
    """

    is_allowed: Callable[[Any], bool]
    message: str


def rule(is_allowed: Callable[[Any], bool], message: str) -> Metadata:
    """Any condition, with its message."""
    return {RULE: Rule(is_allowed, message)}


def above(bound: float) -> Metadata:
    """Larger than the bound."""
    return rule(lambda v: v > bound, f"must be above {bound}" if bound else "must be positive")


def at_least(bound: float) -> Metadata:
    """Not smaller than the bound."""
    return rule(
        lambda v: v >= bound, f"must be at least {bound}" if bound else "cannot be negative"
    )


def within(low: float, high: float) -> Metadata:
    """In [low, high]."""
    return rule(lambda v: low <= v <= high, f"must be {low} to {high}")


def below_one() -> Metadata:
    """In [0, 1)."""
    return rule(lambda v: 0 <= v < 1, "must be in [0, 1)")


def fraction() -> Metadata:
    """In (0, 1)."""
    return rule(lambda v: 0 < v < 1, "must be in (0, 1)")


def probability() -> Metadata:
    """In [0, 1]."""
    return rule(lambda v: 0 <= v <= 1, "is a probability, 0 to 1")


def each(metadata: Metadata) -> Metadata:
    """The rule of `metadata` for every element of a tuple."""
    one = metadata[RULE]
    return rule(lambda values: all(map(one.is_allowed, values)), one.message)


def low_high(minimum: float | None = None) -> Metadata:
    """A pair with low <= high and, if a minimum is given, low >= minimum."""
    message = "must be (low, high)"
    if minimum is None:
        return rule(lambda v: v[0] <= v[1], message)
    bound = "not negative" if minimum == 0 else f"not below {minimum}"
    return rule(lambda v: minimum <= v[0] <= v[1], f"{message}, {bound}")


def seed() -> Metadata:
    """A seed of 32 bits."""
    return within(0, 2**32 - 1)


def area_range() -> Metadata:
    """A pair of shares of an image, 0 < low <= high <= 1."""
    return rule(lambda v: 0 < v[0] <= v[1] <= 1, "must be (low, high), above 0, up to 1")


def positive_range() -> Metadata:
    """A pair with 0 < low <= high."""
    return rule(lambda v: 0 < v[0] <= v[1], "must be (low, high), above 0")
