"""Sections: groups of settings with dotted keys, mutable until they are frozen."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from uaps_jax.config.schema import Config


class ConfigError(ValueError):
    """A configuration that cannot be run; the message lists all problems."""


class Section:
    """A group of settings, mutable until `freeze` is called.

    Subclasses are dataclasses. A field has a type (`Literal` for a choice) and may have a rule
    (`rules.py`); `validate` checks both. Fields have no default values.
    """

    __slots__ = ("_frozen",)

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "_frozen" and getattr(self, "_frozen", False):
            raise dataclasses.FrozenInstanceError(
                f"the configuration is frozen; set {name!r} before the run starts"
            )
        object.__setattr__(self, name, value)

    def freeze(self) -> None:
        """Makes this section and its subsections immutable."""
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Section):
                value.freeze()
        self._frozen = True

    def problems(self, config: Config) -> Iterator[str]:
        """Problems that involve several settings, one line each, in the form of `checks.check`.

        All settings have the right types when it is called; some may be out of range.
        """
        yield from ()


class Setting(NamedTuple):
    """One setting of a configuration.

    Attributes:
      key: dotted, `"optimizer.learning_rate"`.
      field: the dataclass field.
      value: the present value.
    """

    key: str
    field: dataclasses.Field[Any]
    value: Any


def settings(section: Section, prefix: str = "") -> Iterator[Setting]:
    """All settings of a section and its subsections, in the order of the schema."""
    for field in dataclasses.fields(section):  # type: ignore[arg-type]
        key, value = prefix + field.name, getattr(section, field.name)
        if isinstance(value, Section):
            yield from settings(value, f"{key}.")
        else:
            yield Setting(key, field, value)


def sections(section: Section) -> Iterator[Section]:
    """A section and all its subsections."""
    yield section
    for field in dataclasses.fields(section):  # type: ignore[arg-type]
        value = getattr(section, field.name)
        if isinstance(value, Section):
            yield from sections(value)


def require_types(section: type[Section]) -> None:
    """Checks that the annotations of a section are types; overrides are parsed by them.

    Raises:
      TypeError: an annotation is a string.
    """
    if any(isinstance(kind, str) for kind in section.__annotations__.values()):
        raise TypeError(
            f"{section.__name__} is in a file with `from __future__ import annotations`: remove "
            "that line, because overrides are parsed by the types of the fields"
        )


def lookup(config: Section, key: str) -> Any:
    """The value at a dotted key."""
    node: Any = config
    for name in key.split("."):
        node = getattr(node, name)
    return node


def assign(config: Section, key: str, value: Any) -> None:
    """Sets the value at a dotted key."""
    path, _, name = key.rpartition(".")
    setattr(lookup(config, path) if path else config, name, value)
