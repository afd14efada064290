"""Configurations as dotted keys and values, and how two of them differ."""

from __future__ import annotations

import dataclasses
import difflib
import enum
from collections.abc import Mapping
from typing import Any

from uaps_jax.config.method import MethodConfig
from uaps_jax.config.network import NetworkConfig
from uaps_jax.config.schema import Config
from uaps_jax.config.section import ConfigError, Section, settings


def flatten(node: Section, prefix: str = "") -> dict[str, Any]:
    """Dotted keys and their values, in the order of the schema.

    The names of the method and of the network are among them.
    """
    flat: dict[str, Any] = {}
    if isinstance(node, MethodConfig | NetworkConfig):
        flat[f"{prefix}name"] = node.name
    for field in dataclasses.fields(node):  # type: ignore[arg-type]
        value = getattr(node, field.name)
        if isinstance(value, Section):
            flat.update(flatten(value, f"{prefix}{field.name}."))
        else:
            flat[prefix + field.name] = list(value) if isinstance(value, tuple) else value
    return flat


def check_key(config: Section, key: str) -> None:
    """Checks that a dotted key of an override exists.

    Raises:
      ConfigError: naming the nearest existing key.
    """
    known = [setting.key for setting in settings(config)]
    if key in known:
        return
    inside = [k for k in known if k.startswith(f"{key}.")]
    if inside:
        raise ConfigError(
            f"--config.{key} is a section; set one of its settings: {', '.join(inside)}"
        )
    nearest = [
        *difflib.get_close_matches(key, known, n=1, cutoff=0.9),
        *(k for k in known if k.rsplit(".", 1)[-1] == key.rsplit(".", 1)[-1]),
        *difflib.get_close_matches(key, known, n=1, cutoff=0.0),
    ]
    about = ""
    if isinstance(config, Config):
        about = f" (method {config.method.name}, network {config.network.name})"
    raise ConfigError(f"--config.{key} does not exist{about}. Did you mean --config.{nearest[0]}?")


class Absent(enum.Enum):
    """The value of a setting that a configuration does not have."""

    ABSENT = "(absent)"


@dataclasses.dataclass(frozen=True)
class Difference:
    """A setting whose values differ between two configurations.

    Attributes:
      key: dotted.
      old: its value in the first one; `Absent.ABSENT` if that does not have it.
      new: its value in the second one, likewise.
    """

    key: str
    old: Any
    new: Any


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """The settings that differ between two flattened configurations."""
    pairs = [
        Difference(key, old.get(key, Absent.ABSENT), new.get(key, Absent.ABSENT))
        for key in dict.fromkeys([*old, *new])
    ]
    return [difference for difference in pairs if difference.old != difference.new]


def describe(difference: Difference) -> str:
    """A difference as text: `key: old -> new`."""
    values = (
        value.value if isinstance(value, Absent) else repr(value)
        for value in (difference.old, difference.new)
    )
    return f"{difference.key}: {' -> '.join(values)}"
