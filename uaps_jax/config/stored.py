"""Stored configurations: written with the version of the schema, readable by later versions."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from uaps_jax.config.checks import one_of
from uaps_jax.config.flat import flatten
from uaps_jax.config.method import METHODS
from uaps_jax.config.network import NETWORKS
from uaps_jax.config.schema import Config
from uaps_jax.config.section import ConfigError, Section


@dataclasses.dataclass(frozen=True, kw_only=True)
class Migration:
    """The change from settings of one version to those of the next.

    Attributes:
      renamed: old key -> new key; an old key that ends in "." is a whole section.
      removed: keys that the next version does not have; their values are dropped.
      added: new key -> the value that runs without it used.
      adjust: a change that depends on several settings: from all settings, after the other changes,
        to all settings.
    """

    renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    removed: tuple[str, ...] = ()
    added: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    adjust: Callable[[dict[str, Any]], dict[str, Any]] = dict

    def apply(self, flat: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of the next version; values of keys that exist already are kept."""
        kept = {self._new_key(k): v for k, v in flat.items() if k not in self.removed}
        return self.adjust(dict(self.added) | kept)

    def _new_key(self, key: str) -> str:
        for old, new in self.renamed.items():
            if key == old or (old.endswith(".") and key.startswith(old)):
                return new + key.removeprefix(old)
        return key


def _rename_first_grouped_protocol(flat: dict[str, Any]) -> dict[str, Any]:
    """Renames protocol "grouped" to "grouped_v1", and adds `data.labeled_group_copies`.

    The added setting has no effect on these runs. Its value is that of `configs/`.
    """
    copies = "unlabeled" if flat.get("data.name") == "folder" else "exclude"
    grouped = flat.get("data.protocol") == "grouped"
    changed = {"data.protocol": "grouped_v1"} if grouped else {}
    return flat | {"data.labeled_group_copies": copies} | changed


def _add_view_settings(flat: dict[str, Any]) -> dict[str, Any]:
    """Adds scale, crop, grayscale, Gaussian blur, Cutout and the fixed order of jitter to views."""
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


def _supervised_with_one_loss(flat: dict[str, Any]) -> dict[str, Any]:
    """Supervised learning had one form of the loss."""
    supervised = flat.get("method.name") == "supervised"
    return ({"method.loss": "cross_entropy_and_dice"} if supervised else {}) | flat


def _ppl_with_cross_entropy(flat: dict[str, Any]) -> dict[str, Any]:
    """The student of PPL had one form of the loss."""
    return ({"method.loss": "cross_entropy"} if flat.get("method.name") == "ppl" else {}) | flat


def _without_frozen_groups(flat: dict[str, Any]) -> dict[str, Any]:
    """Removes `optimizer.frozen`, which has no successor for a run that used it."""
    if frozen := flat.pop("optimizer.frozen", None):
        raise ConfigError(
            f"optimizer.frozen = {frozen!r}: frozen groups of parameters became "
            "network.frozen_levels; resume this run with the version that it was started with"
        )
    return flat


MIGRATIONS = (
    # Settings that were stored without a version; some have these keys already.
    Migration(added={"train.accumulate": 1, "train.deterministic": False}),
    Migration(
        renamed={"model.": "network."},
        removed=("model.execution",),  # selected one of two implementations with equal results
        added={"network.name": "unet"},
    ),
    Migration(adjust=_rename_first_grouped_protocol),
    Migration(adjust=_add_view_settings),
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
    Migration(
        added={
            "network.pretrained": "",
            "network.pretrained_parts": "encoder",
            "network.pretrained_prefix": "",
        },
        adjust=_without_frozen_groups,
    ),
    Migration(
        added={
            "data.scale": 1.0,
            "data.resampling": "nearest",
            "data.crop_scale_range": [1.0, 1.0],
            "data.defect_crops": 0.0,
            "train.minutes": 0.0,
            "data.rough.kind": "none",
            "data.rough.seed": 0,
            "data.rough.scale": [1.2, 1.5],
            "data.rough.radius": 3,
            "data.rough.drop": 0.2,
            "evaluation.crf.iterations": 0,
            "evaluation.crf.form": "full",
            "evaluation.crf.guide": "grey",
            "evaluation.crf.window": 15,
            "evaluation.crf.position_weight": 3.0,
            "evaluation.crf.position_sigma": 1.0,
            "evaluation.crf.bilateral_weight": 4.0,
            "evaluation.crf.bilateral_sigma": 0.134,
            "evaluation.crf.level_sigma": 10.0,
            "data.folder.mask_suffix": "",
            "data.targets.folders": [],
            "data.targets.names": "",
            "data.targets.weights": False,
            "evaluation.selection": "image_dice",
            "evaluation.decision.score": "top",
            "evaluation.decision.top_pixels": 20,
            "evaluation.decision.pixel_threshold": 0.5,
            "evaluation.decision.minimum_area": 0,
            "evaluation.decision.aim": "false_alarms",
            "evaluation.decision.rate": 0.05,
        },
        adjust=_supervised_with_one_loss,
    ),
    Migration(added={"data.targets.part": "unlabeled"}),
    Migration(renamed={"data.defect_crops": "data.defect_share"}),
    Migration(adjust=_ppl_with_cross_entropy),
    Migration(added={"data.targets.defect_share": 0.0}),
)
"""The changes of the schema, in order; entry i is from version i to version i + 1."""

VERSION = len(MIGRATIONS)
"""The version of the present schema."""

VERSION_KEY = "config_version"

S = TypeVar("S", bound=Section)


def to_stored(config: Config) -> dict[str, Any]:
    """The flat configuration with the version of its schema."""
    return {VERSION_KEY: VERSION, **flatten(config)}


def to_json(config: Config) -> str:
    """`to_stored` as JSON text, one dotted key a line."""
    return json.dumps(to_stored(config), indent=2) + "\n"


def migrated(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Flat settings of the present version from stored ones of this or an older version.

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
    """The configuration from the result of `to_stored`, of this version or an older one.

    Raises:
      ConfigError: keys are missing or unknown, with their names.
    """
    return from_flat(migrated(stored))


def from_flat(flat: Mapping[str, Any]) -> Config:
    """The configuration from the result of `flatten`.

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
            f"the settings do not fit this version: missing keys: {_listed(missing)}; "
            f"unknown keys: {_listed(rest)}"
        )
    return config


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(keys) or "none"
