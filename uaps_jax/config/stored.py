"""Stored configurations: written with the version of the schema, read by every later one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from uaps_jax.config.checks import one_of
from uaps_jax.config.flat import flatten
from uaps_jax.config.method import METHODS
from uaps_jax.config.network import NETWORKS
from uaps_jax.config.schema import Config
from uaps_jax.config.section import ConfigError, Section


@dataclasses.dataclass(frozen=True, kw_only=True)
class Migration:
    """What turns settings of one version into those of the next.

    Attributes:
      renamed: old key -> new key; an old key that ends in "." is a whole section.
      removed: keys that went, whatever their values were.
      added: keys that came, with the value that runs without them had.
      adjust: what depends on several settings; takes and returns all of them, after the rest.
    """

    renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    removed: tuple[str, ...] = ()
    added: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    adjust: Callable[[dict[str, Any]], dict[str, Any]] = dict

    def apply(self, flat: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of the next version; what they have already stays."""
        kept = {self._new_key(k): v for k, v in flat.items() if k not in self.removed}
        return self.adjust(dict(self.added) | kept)

    def _new_key(self, key: str) -> str:
        for old, new in self.renamed.items():
            if key == old or (old.endswith(".") and key.startswith(old)):
                return new + key.removeprefix(old)
        return key


def _groups_that_were_labeled_whole(flat: dict[str, Any]) -> dict[str, Any]:
    """Protocol "grouped" was what is "grouped_v1" now, which has no choice about copies.

    The choice that is added is of no meaning for these runs; it is what `configs/` asks for, so
    that they are resumed by the same configuration.
    """
    copies = "unlabeled" if flat.get("data.name") == "folder" else "exclude"
    grouped = flat.get("data.protocol") == "grouped"
    changed = {"data.protocol": "grouped_v1"} if grouped else {}
    return flat | {"data.labeled_group_copies": copies} | changed


def _views_without_what_came_later(flat: dict[str, Any]) -> dict[str, Any]:
    """The views had no scale, crop, grayscale, Gaussian blur or Cutout, and one order of jitter."""
    colour = {
        "jitter_random_order": False,
        "grayscale": 0.0,
        "gaussian_blur": 0.0,
        "gaussian_sigma": [0.1, 2.0],
        "cutout": 0.0,
        "cutout_area": [0.02, 0.4],
        "cutout_aspect": [0.3, 1 / 0.3],
        "cutout_noise": True,
    }
    geometry = {"scale": 0.0, "scale_range": [0.5, 2.0], "crop_height": 0, "crop_width": 0}
    added: dict[str, Any] = {}
    for present, settings in (("jitter_limits", colour), ("grid_distortion", geometry)):
        sections = [k.removesuffix(present) for k in flat if k.endswith(f".{present}")]
        added |= {section + name: v for section in sections for name, v in settings.items()}
    return added | flat


def _supervised_without_an_average(flat: dict[str, Any]) -> dict[str, Any]:
    """Supervised learning had no averaged network."""
    added = {"method.ema_decay": 0.0} if flat.get("method.name") == "supervised" else {}
    return added | flat


MIGRATIONS = (
    # Settings that were stored without a version: some had these already.
    Migration(added={"train.accumulate": 1, "train.deterministic": False}),
    Migration(
        renamed={"model.": "network."},
        removed=("model.execution",),  # how the decoders ran, with the same numbers
        added={"network.name": "unet"},
    ),
    Migration(adjust=_groups_that_were_labeled_whole),
    Migration(adjust=_views_without_what_came_later),
    Migration(
        added={
            "optimizer.name": "adam",
            "optimizer.warmup_steps": 0,
            "optimizer.momentum": 0.9,
            "optimizer.nesterov": False,
            "optimizer.decay_biases_and_norms": True,
            "optimizer.decoder_multiple": 1.0,
            "optimizer.frozen": [],
            "optimizer.clip_norm": 0.0,
        }
    ),
    Migration(adjust=_supervised_without_an_average),
)
"""The changes of the schema, in order; entry i turns settings of version i into version i + 1."""

VERSION = len(MIGRATIONS)
"""Of the settings that are written now."""

VERSION_KEY = "config_version"

S = TypeVar("S", bound=Section)


def to_stored(config: Config) -> dict[str, Any]:
    """The configuration and the version of its schema, to be kept in a file."""
    return {VERSION_KEY: VERSION, **flatten(config)}


def to_json(config: Config) -> str:
    """`to_stored` as JSON text, one dotted key a line."""
    return json.dumps(to_stored(config), indent=2) + "\n"


def migrated(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Stored settings, of this version or an older one, flat and with the keys of this version.

    Raises:
      ConfigError: they are of a later version.
    """
    flat = dict(stored)
    version = flat.pop(VERSION_KEY, 0)
    if version > VERSION:
        raise ConfigError(
            f"the settings are of version {version}, and this program reads versions up to "
            f"{VERSION}: use the program that wrote them, or a later one"
        )
    for migration in MIGRATIONS[version:]:
        flat = migration.apply(flat)
    return flat


def from_stored(stored: Mapping[str, Any]) -> Config:
    """The configuration that `to_stored` of this version or an older one was made from.

    Raises:
      ConfigError: keys are missing or unknown, with their names.
    """
    return from_flat(migrated(stored))


def from_flat(flat: Mapping[str, Any]) -> Config:
    """Rebuilds a configuration from `flatten`'s dict.

    Raises:
      ConfigError: keys are missing or unknown, with their names.
    """
    rest = dict(flat)
    chosen: dict[str, type[Section]] = {}
    for key, table in (("method", METHODS), ("network", NETWORKS)):
        name = rest.pop(f"{key}.name", "")
        if name not in table:
            raise ConfigError(f"{key}.name = {name!r}: {one_of(tuple(table))}")
        chosen[key] = table[name]
    missing: list[str] = []

    def build(kind: type[S], prefix: str) -> S:
        values: dict[str, Any] = {}
        for field in dataclasses.fields(kind):  # type: ignore[arg-type]
            key = prefix + field.name
            section = chosen.get(key, field.type)
            if isinstance(section, type) and issubclass(section, Section):
                values[field.name] = build(section, f"{key}.")
            elif key in rest:
                value = rest.pop(key)
                values[field.name] = tuple(value) if isinstance(value, list) else value
            else:
                missing.append(key)
                values[field.name] = None
        return kind(**values)

    config = build(Config, "")
    if missing or rest:
        raise ConfigError(
            f"not a configuration of this version: missing {missing or 'nothing'}, "
            f"unknown {list(rest) or 'nothing'}"
        )
    return config
