"""Which image a mask belongs to, by their names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from uaps_jax.datasets.common import Problem

FLAG = "--config.data.folder.mask_suffix"
LEAST = 2
"""Fewer equal endings of names are not taken for a habit."""

WORDS = ("annot", "gt", "label", "mask", "seg", "truth")
"""Endings with one of these are those of masks among images."""


def divided(files: Mapping[str, Path], suffix: str) -> tuple[dict[str, Path], dict[str, Path]]:
    """Files whose name does not end in a suffix, and those whose name does, without it.

    Args:
      files: by name, without suffix of the format.
      suffix: that the name of a mask has behind the name of its image; not "".

    Returns:
      The others by name, and masks by the name of their image.
    """
    others = {name: file for name, file in files.items() if not name.endswith(suffix)}
    masks = {name.removesuffix(suffix): files[name] for name in files.keys() - others.keys()}
    return others, masks


def common_suffix(names: Iterable[str], images: Collection[str]) -> tuple[str, list[str]]:
    """What most of the names have behind the name of an image, such as `_label`.

    An ending that begins with a letter or a digit is none: `part_12` is not a mask of `part_1`.

    Returns:
      The ending and the names that have it; "" and none if fewer than `LEAST` have it.
    """
    by_suffix: dict[str, list[str]] = {}
    for name in names:
        cuts = range(len(name) - 1, 0, -1)
        image = next((name[:cut] for cut in cuts if name[:cut] in images), None)
        if image is not None and not name[len(image)].isalnum() and name[len(image)] != "/":
            by_suffix.setdefault(name.removeprefix(image), []).append(name)
    suffix, found = max(by_suffix.items(), key=lambda item: len(item[1]), default=("", []))
    return (suffix, sorted(found)) if len(found) >= LEAST else ("", [])


def among_images(folder: Path, images: Mapping[str, Path], setting: str) -> Iterator[Problem]:
    """A problem if files beside images are named like masks of them.

    Args:
      folder: of the images.
      images: by name.
      setting: the folder as the settings name it.
    """
    suffix, found = common_suffix(images, images.keys())
    if found and any(word in suffix.lower() for word in WORDS):
        example = images[found[0]].name
        yield Problem(
            str(folder),
            f"{len(found)} files, such as {example}, have the name of another image and {suffix}. "
            f"If they are masks: --config.data.folder.masks={setting} {FLAG}={suffix}",
        )


def without_image(
    folder: Path, masks: Mapping[str, Path], images_folder: Path, images: Mapping[str, Path]
) -> Iterator[Problem]:
    """Masks without an image; one problem for all that have the name of an image and an ending."""
    alone = masks.keys() - images.keys()
    suffix, found = common_suffix(alone, images.keys())
    if found:
        yield Problem(
            str(folder),
            f"{len(found)} masks, such as {masks[found[0]].name}, have the name of an image and "
            f"{suffix}: {FLAG}={suffix}",
        )
    for name in sorted(alone - set(found)):
        yield Problem(str(masks[name]), f"no image of this name, {name}.*, in {images_folder}")
