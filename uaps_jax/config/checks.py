"""Checks of single settings: their type, their choices, their range."""

from __future__ import annotations

import math
import typing
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from absl import flags
from ml_collections import config_flags

from uaps_jax.config.rules import RULE
from uaps_jax.config.section import Section, lookup, settings

# Overrides of fields of a `Literal` type are read as texts; `value_problems` names the choices.
config_flags.register_flag_parser_for_type(Literal, flags.ArgumentParser())


def check(config: Section, key: str, condition: bool, message: str) -> Iterator[str]:
    """The line `key = value: message` if the condition does not hold, else nothing."""
    if not condition:
        yield f"{key} = {lookup(config, key)!r}: {message}"


def one_of(choices: Sequence[str]) -> str:
    """The part of a problem that lists the allowed values."""
    return f"must be one of {', '.join(choices)}"


def type_problems(section: Section) -> Iterator[str]:
    """One line for each value of a wrong type and each number that is not finite."""
    for key, field, value in settings(section):
        if message := _mismatch(field.type, value):
            yield f"{key} = {value!r}: {message}"


def value_problems(section: Section) -> Iterator[str]:
    """One line for each value of the right type that is not a choice or is out of range."""
    for key, field, value in settings(section):
        choices = typing.get_args(field.type) if _is_choice(field.type) else (value,)
        rule = field.metadata.get(RULE)
        if value not in choices:
            yield f"{key} = {value!r}: {one_of(choices)}"
        elif rule and not rule.is_allowed(value):
            yield f"{key} = {value!r}: {rule.message}"


def _is_choice(kind: Any) -> bool:
    return typing.get_origin(kind) is Literal


def _mismatch(kind: Any, value: Any) -> str | None:
    """What is wrong with the type of a value; None if it is right."""
    if typing.get_origin(kind) is tuple:
        kinds, name = typing.get_args(kind), str(kind)
        if not isinstance(value, tuple):
            return f"must be of type {name}"
        values = value
        if kinds[-1] is ...:
            kinds = kinds[:1] * len(values)
    else:
        kinds, values, name = (kind,), (value,), getattr(kind, "__name__", "")
    if len(kinds) != len(values) or not all(map(_is_a, kinds, values)):
        return f"must be of type {name}"
    if not all(_is_finite(v) for one, v in zip(kinds, values, strict=True) if one is float):
        return "must be finite"
    return None


def _is_a(kind: Any, value: Any) -> bool:
    """Whether a value has a type. An int is a float too; a bool is not a number."""
    if _is_choice(kind):
        return True  # `value_problems` names the choices
    wanted = (int, float) if kind is float else kind
    return isinstance(value, wanted) and (kind is bool or not isinstance(value, bool))


def _is_finite(number: float) -> bool:
    """Whether a number is finite as a float; an int may be too large for one."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False
