"""Masks and weights of training images from folders, in place of those of the dataset.

A folder holds `mask/NAME.png`, class ids and 255 where there is no label, and, if
`data.targets.weights`, `weight/NAME.png`, 8-bit grey, 255 for a weight of 1. Both have the size of
the image NAME, as the masks of a dataset do. The masks that `--mode=predict` writes are such a
folder.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from uaps_jax.config import ConfigError, DataConfig
from uaps_jax.data import source
from uaps_jax.data.paths import expanded
from uaps_jax.data.source import Dataset
from uaps_jax.data.splits import Split
from uaps_jax.datasets.common import DataError, UnreadableError, read_bytes, read_mask
from uaps_jax.datasets.pieces import count_values
from uaps_jax.datasets.protocols import read_list
from uaps_jax.labels import IGNORE

MASKS, WEIGHTS = "mask", "weight"
"""The subfolders of a folder of targets."""

SUFFIX = ".png"


class Files(NamedTuple):
    """The target of an image.

    Attributes:
      mask: file.
      weight: file; None where all weights are 1.
    """

    mask: Path
    weight: Path | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Targets:
    """The targets of some training images, checked.

    Attributes:
      files: name of an image -> its files.
      digest: of the contents of all files and their names, 16 hexadecimal digits.
    """

    files: Mapping[str, Files]
    digest: str

    def read(self, name: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Mask and weights of an image, uint8 `[H, W]`; None for no weights."""
        mask, weight = self.files[name]
        return read_mask(mask), None if weight is None else read_mask(weight)


def restrict(dataset: Dataset, data: DataConfig, split: Split) -> tuple[Split, Targets | None]:
    """The split by the training images that have a target, and their targets.

    The unlabeled images are those of them that have one; with `data.targets.part` "labeled", all
    training images that have one are labeled, and the others unlabeled. Without
    `data.targets.folders`, the same split and None.

    Args:
      dataset: the images.
      data: the settings.
      split: of the dataset.

    Raises:
      ConfigError: a folder or the list cannot be read, or no image is left.
      DataError: with all problems of the list and of the files, one line for each kind.
    """
    if not data.targets.folders:
        return split, None
    problems = _Problems()
    found = _found(data, problems)
    is_labeled = data.targets.part == "labeled"
    allowed = {*split["unlabeled"], *(split["labeled"] if is_labeled else ())}
    names = sorted(_listed(data, found, dataset, allowed, problems))
    if not names and not problems.by_kind:
        raise ConfigError(
            f"data.targets.folders = {data.targets.folders}: none of the {len(found)} masks is of "
            f"one of the {len(allowed)} {_kind(data)} images"
        )
    files = {}
    digest = hashlib.sha256()
    for name in names:
        weight = _weight_file(found[name], name) if data.targets.weights else None
        files[name] = Files(found[name] / MASKS / f"{name}{SUFFIX}", weight)
        digest.update(f"{name}\0".encode())
        for content in _checked(dataset, name, files[name], problems):
            digest.update(hashlib.sha256(content).digest())
    problems.raise_any()
    targets = Targets(files=files, digest=digest.hexdigest()[:16])
    if is_labeled:
        return split | {"labeled": names, "unlabeled": sorted(allowed - set(names))}, targets
    return split | {"unlabeled": names}, targets


class _Problems:
    """Problems, counted by kind: each kind is one line of the report."""

    def __init__(self) -> None:
        self.by_kind: dict[tuple[str, str], list[str]] = defaultdict(list)

    def add(self, where: str, kind: str, name: str) -> None:
        """Notes a problem of `name`; `kind` says what is wrong with "N of them"."""
        self.by_kind[where, kind].append(name)

    def raise_any(self) -> None:
        """Raises the report, if there are problems."""
        if not self.by_kind:
            return
        raise DataError(
            (
                (where, f"{len(names)} {kind}: {', '.join(names[:3])}{_more(len(names) - 3)}")
                for (where, kind), names in self.by_kind.items()
            ),
            remedy="Correct or remove the files and names above, then run the command again.",
        )


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _kind(data: DataConfig) -> str:
    """The images that can have a target, in words."""
    return "training" if data.targets.part == "labeled" else "unlabeled"


def _found(data: DataConfig, problems: _Problems) -> dict[str, Path]:
    """Name of an image -> the folder that holds its mask.

    Raises:
      ConfigError: a folder has no subfolder of masks.
    """
    found: dict[str, Path] = {}
    for given in data.targets.folders:
        folder = expanded(given, "data.targets.folders")
        masks = folder / MASKS
        if not masks.is_dir():
            raise ConfigError(
                f"data.targets.folders: {masks} is not a folder; put the masks there, as "
                f"{masks}/NAME{SUFFIX} for the image NAME"
            )
        for file in sorted(masks.rglob(f"*{SUFFIX}")):
            name = file.relative_to(masks).as_posix().removesuffix(SUFFIX)
            if name in found:
                problems.add(str(folder), f"masks that {found[name]} has as well", name)
            found[name] = folder
    return found


def _listed(
    data: DataConfig,
    found: Mapping[str, Path],
    dataset: Dataset,
    allowed: set[str],
    problems: _Problems,
) -> Iterator[str]:
    """The names of the images to use."""
    file = data.targets.names
    if not file:
        for name, folder in found.items():
            if name in allowed:
                yield name
            elif name not in dataset.position:
                problems.add(str(folder / MASKS), f"masks without an image in {data.name}", name)
        return
    try:
        names = dict.fromkeys(read_list(expanded(file, "data.targets.names"), dataset.position))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"data.targets.names = {file!r}: cannot be read: {error}") from error
    for name in names:
        if name not in dataset.position:
            problems.add(file, f"names of no image of {data.name}", name)
        elif name not in allowed:
            problems.add(file, f"names of images that are not {_kind(data)} in this split", name)
        elif name not in found:
            problems.add(file, "names without a mask in data.targets.folders", name)
        else:
            yield name


def _weight_file(folder: Path, name: str) -> Path:
    return folder / WEIGHTS / f"{name}{SUFFIX}"


def _checked(dataset: Dataset, name: str, files: Files, problems: _Problems) -> Iterator[bytes]:
    """The contents of the files of an image, checked."""
    class_count = len(dataset.class_names)
    height, width = source.size(dataset, name)
    for file in (files.mask, files.weight):
        if file is None:
            continue
        kind = MASKS if file is files.mask else WEIGHTS
        where = str(file).removesuffix(f"/{name}{SUFFIX}")
        try:
            content = read_bytes(file)
            values = read_mask(content)
        except (UnreadableError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            problems.add(where, f"{kind}s cannot be used ({reason})", name)
            continue
        if values.shape != (height, width):
            problems.add(where, f"{kind}s have another size than their image", name)
        if kind == "mask" and (wrong := _wrong_classes(values, class_count)):
            listed = ", ".join(map(str, wrong[:3])) + _more(len(wrong) - 3)
            problems.add(
                where,
                f"masks hold {listed}; allowed are the class ids 0..{class_count - 1} and {IGNORE}",
                name,
            )
        yield content


def _wrong_classes(ids: np.ndarray, class_count: int) -> Sequence[int]:
    values = np.flatnonzero(count_values(ids, IGNORE + 1))
    return [int(v) for v in values if class_count <= v != IGNORE]
