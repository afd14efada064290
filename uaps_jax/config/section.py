"""Groups of settings: mutable until they are frozen, walked by dotted keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from uaps_jax.config.schema import Config


class ConfigError(ValueError):
    """A configuration that cannot be run; its text names every problem found."""


class Section:
    """A group of settings: mutable until `freeze` is called on it.

    Subclasses are dataclasses. A field has a type, which `Literal` limits to choices, and may have
    a range (`rules`); both are checked by `validate`. Fields have no default values.
    """

    __slots__ = ("_frozen",)

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "_frozen" and getattr(self, "_frozen", False):
            raise dataclasses.FrozenInstanceError(
                f"the configuration is frozen; {name!r} has to be set before the run starts"
            )
        object.__setattr__(self, name, value)

    def freeze(self) -> None:
        """Makes this section and the ones in it immutable."""
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Section):
                value.freeze()
        self._frozen = True

    def problems(self, config: Config) -> Iterator[str]:
        """What is wrong between several settings, a line each, as `check` words them.

        Called on settings of the right types; some may be out of their ranges.
        """
        yield from ()


class Setting(NamedTuple):
    """One setting of a configuration.

    Attributes:
      key: dotted, `"optimizer.learning_rate"`.
      field: of its section.
      value: what it is set to.
    """

    key: str
    field: dataclasses.Field[Any]
    value: Any


def settings(section: Section, prefix: str = "") -> Iterator[Setting]:
    """All settings of a section and of the sections in it, in the order of the schema."""
    for field in dataclasses.fields(section):  # type: ignore[arg-type]
        key, value = prefix + field.name, getattr(section, field.name)
        if isinstance(value, Section):
            yield from settings(value, f"{key}.")
        else:
            yield Setting(key, field, value)


def sections(section: Section) -> Iterator[Section]:
    """A section and all sections in it."""
    yield section
    for field in dataclasses.fields(section):  # type: ignore[arg-type]
        value = getattr(section, field.name)
        if isinstance(value, Section):
            yield from sections(value)


def require_types(section: type[Section]) -> None:
    """Checks that the annotations of a section are types, by which overrides are read.

    Raises:
      TypeError: they are texts.
    """
    if any(isinstance(kind, str) for kind in section.__annotations__.values()):
        raise TypeError(
            f"{section.__name__} is in a file with `from __future__ import annotations`: leave "
            "that out, overrides are read by the types of the fields"
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
