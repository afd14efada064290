"""The split of a built dataset by the name of a protocol, and its record."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from uaps_jax.config import ConfigError, DataConfig
from uaps_jax.data import grouped, leakage, splits
from uaps_jax.data.paths import expanded
from uaps_jax.data.source import Dataset
from uaps_jax.data.targets import Targets
from uaps_jax.datasets.common import read_mask
from uaps_jax.datasets.protocols import Parts, Protocol, of_split, read_list
from uaps_jax.datasets.regular_files import MOST_TEXT_BYTES, read_regular
from uaps_jax.labels import IGNORE

GENERAL = {
    "grouped": ("grouped", 2),
    "grouped_v1": ("grouped", 1),
    "native": ("native", 1),
    "file": ("file", 1),
}
"""Protocols that do not depend on the dataset -> their name and version in a record."""

SIZES = "sizes"
"""Key of `leakage.sizes` in a record; older records do not have it."""

PHOTOGRAPHS = "photographs"
"""Key of `photographs.Photographs` of the training images in a record; older records, and those
that are not of a training, do not have it."""

ABOUT = (SIZES, PHOTOGRAPHS)
"""Keys of a record that follow from the others."""

TARGETS = "targets"
"""Key of the digest of the targets in a record."""

_GROUPED = ("grouped", "grouped_v1")
_MOST_SHOWN = 8


def make_split(dataset: Dataset, data: DataConfig) -> splits.Split:
    """The split of the protocol `data.protocol`.

    Raises:
      ConfigError: the dataset has no such protocol, or the split does not fit the dataset.
    """
    try:
        split = _split(dataset, data)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    problems = splits.check(
        split,
        dataset.position.keys(),
        dataset.masked,
        dataset.groups if data.protocol in _GROUPED else None,
        copies=data.protocol == "grouped" and data.labeled_group_copies == "unlabeled",
    )
    if problems:
        hidden = len(problems) - _MOST_SHOWN
        shown = [*problems[:_MOST_SHOWN], *([f"and {hidden} more"] if hidden > 0 else [])]
        lines = "\n".join(f"  {problem}" for problem in shown)
        raise ConfigError(f"protocol {data.protocol} does not fit this dataset:\n{lines}")
    return split


def record(
    dataset: Dataset, data: DataConfig, split: splits.Split, targets: Targets | None = None
) -> dict[str, Any]:
    """The data of a run: the build, its classes, the protocol, the lists of the split.

    `SIZES` has the numbers of images and leakage groups of each part; `TARGETS`, only with targets,
    their digest.
    """
    published = published_protocols(dataset.name).get(data.protocol)
    name, version = (data.protocol, published.version) if published else GENERAL[data.protocol]
    return {
        "build": dataset.build,
        "classes": list(dataset.class_names),
        "protocol": name,
        "version": version,
        SIZES: leakage.sizes(split, dataset.groups),
        **({TARGETS: targets.digest} if targets else {}),
    } | split


def record_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Lines that describe the differences between two records; empty if there are none."""
    lines = []
    for key in dict.fromkeys([*new, *old]):
        if key in ABOUT or old.get(key) == new.get(key):
            continue
        if key not in splits.PARTS:
            lines.append(f"{key}: {old.get(key, 'none')} -> {new.get(key, 'none')}")
            continue
        before, after = set(old[key]), set(new[key])
        removed, added = sorted(before - after), sorted(after - before)
        lines.append(f"{key}: {len(old[key])} -> {len(new[key])} images")
        lines += [
            f"  {len(names)} {what}, {names[0]} among them"
            for names, what in ((removed, "removed"), (added, "added"))
            if names
        ]
    return lines


def available(dataset: Dataset) -> list[str]:
    """The names of the protocols that a dataset has."""
    native = ["native"] if _is_native(dataset) else []
    return [*published_protocols(dataset.name), *_GROUPED, *native, "file"]


def published_protocols(name: str) -> Mapping[str, Protocol]:
    """Name -> protocol, from the package of a dataset; empty if it has no published protocols."""
    package = f"uaps_jax.datasets.{name}"
    if importlib.util.find_spec(f"{package}.protocols") is None:
        return {}
    protocols: Mapping[str, Protocol] = importlib.import_module(f"{package}.protocols").PROTOCOLS
    return protocols


def classes(dataset: Dataset) -> dict[str, frozenset[int]]:
    """Name -> foreground classes in the mask, of the images that have one. Decodes all masks."""
    return classes_of(dataset, [n for n in dataset.position if n in dataset.masked])


def classes_of(dataset: Dataset, names: Iterable[str]) -> dict[str, frozenset[int]]:
    """Name -> foreground classes in the mask, of images that have one."""
    present_classes = {}
    for name in names:
        part, index = dataset.position[name]
        present = frozenset(np.unique(read_mask(dataset.records[part][index]["mask"])).tolist())
        present_classes[name] = present - {0, IGNORE}
    return present_classes


def _split(dataset: Dataset, data: DataConfig) -> splits.Split:
    if not dataset.masked:
        raise ConfigError(
            f"{data.name}: none of the {len(dataset.position)} images has a mask: add masks for "
            "some of them"
        )
    names = {name: part for name, (part, _) in dataset.position.items()}
    labeled = _labeled(data, names)
    if data.protocol in _GROUPED:
        if dataset.name == "folder" and len(dataset.records) > 1:
            raise ConfigError(
                f"data.protocol = {data.protocol!r} ignores the column split of the table: set "
                "data.protocol=native to use the column, or remove it from the table"
            )
        present_classes, seed = classes(dataset), data.split_seed
        shares = dict(zip(("train", "val", "test"), data.shares, strict=True))
        if data.protocol == "grouped_v1":
            return grouped.grouped_v1(
                dataset.groups, present_classes, shares=shares, labeled=labeled, seed=seed
            )
        return grouped.grouped(
            dataset.groups,
            present_classes,
            shares=shares,
            labeled=labeled,
            seed=seed,
            copies=data.labeled_group_copies,
        )
    if data.protocol == "file":
        return read_split(data.split_file)
    if data.protocol == "native":
        if missing := [part for part in ("train", "val", "test") if part not in dataset.records]:
            raise ConfigError(
                f"data.protocol = 'native': {dataset.name} has no part "
                f"{' and no part '.join(missing)}; choose one of {', '.join(available(dataset))}"
            )
        train, val, test = (of_split(names, part) for part in ("train", "val", "test"))
        parts = Parts(train=train, val=val, test=test, labeled={})
    else:
        published = published_protocols(dataset.name).get(data.protocol)
        if published is None:
            raise ConfigError(
                f"data.protocol = {data.protocol!r}: {dataset.name} does not have this protocol; "
                f"choose one of {', '.join(available(dataset))}"
            )
        if len(names) != published.images:
            raise ConfigError(
                f"data.protocol = {data.protocol!r} divides the {published.images} images of the "
                f"complete {published.config}; {dataset.build} has {len(names)}"
            )
        parts = published.parts(names)
    return splits.from_parts(parts, dataset.masked, labeled)


def _is_native(dataset: Dataset) -> bool:
    return {"train", "val", "test"} <= dataset.records.keys()


def _labeled(data: DataConfig, known: Container[str]) -> splits.Labeled:
    names: tuple[str, ...] = ()
    if data.labeled_list:
        names = tuple(_listed(data.labeled_list, known))
        if not names:
            raise ConfigError(f"data.labeled_list = {data.labeled_list!r}: the file lists no image")
    return splits.Labeled(
        names=names, count=data.labeled_count, ratio=data.labeled_ratio, seed=data.split_seed
    )


def _listed(file: str, known: Container[str]) -> list[str]:
    try:
        return read_list(expanded(file, "data.labeled_list"), known)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"data.labeled_list = {file!r}: cannot be read: {error}") from error


def read_split(file: str) -> splits.Split:
    """The split of a `split.json`.

    Raises:
      ConfigError: it cannot be read, or is not a split.
    """
    path = expanded(file, "data.split_file")
    try:
        text = read_regular(path, MOST_TEXT_BYTES).decode("utf-8-sig")
        content = json.loads(text, object_pairs_hook=_checked_keys)
        return {part: sorted(_names(content[part], part)) for part in splits.PARTS}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"{file}: is not a split.json as written by --mode=split or by a training: "
            f"{type(error).__name__}: {error}"
        ) from error


def _checked_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key is repeated")
    return content


def _names(value: Any, part: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{part!r} must be a list of names")
    return value
