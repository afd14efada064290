"""CrackForest cut into square tiles, as a folder of images and masks.

    python -m benchmarks.crack_tiles --data=FOLDER --out=NEW_FOLDER

FOLDER holds the archive of CrackForest. The tiles of a photograph do not overlap; an edge that is
left over is cut off. Their names begin with that of the photograph, so that
`--config.data.folder.group='^(.+)_'` keeps all tiles of a photograph in one part of the split. A
tile without a pixel of a crack is a good one. Photographs without an annotation give images without
a mask.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from uaps_jax.datasets.common import read_image
from uaps_jax.datasets.crackforest import layouts
from uaps_jax.datasets.crackforest.mat_masks import CRACK, read_segmentation

SIDE = 64
"""Pixels: a photograph of 480 x 320 gives 35 tiles."""


def cut(array: np.ndarray, side: int) -> list[np.ndarray]:
    """The tiles of an array `[H, W, ...]`, row by row, each `[side, side, ...]`."""
    rows, columns = (pixels // side for pixels in array.shape[:2])
    return [
        array[y * side : (y + 1) * side, x * side : (x + 1) * side]
        for y in range(rows)
        for x in range(columns)
    ]


def write(data: Path, out: Path, side: int) -> tuple[int, int]:
    """Writes the tiles; the numbers of those with a crack and of the good ones."""
    found = layouts.find(data)
    examples, _ = layouts.examples(found)
    for kind in ("images", "masks"):
        (out / kind).mkdir(parents=True)
    counts = [0, 0]
    with found.tree.reading() as read:
        for example in examples:
            _save(cut(read_image(read(example.image)), side), out / "images", example.name)
            if example.mask is None:
                continue
            masks = cut((read_segmentation(read(example.mask)) == CRACK).astype(np.uint8), side)
            _save(masks, out / "masks", example.name)
            for mask in masks:
                counts[not mask.any()] += 1
    (out / "classes.yaml").write_text("background: 0\ncrack: 1\n")
    return counts[0], counts[1]


def _save(tiles: Sequence[np.ndarray], folder: Path, name: str) -> None:
    for number, tile in enumerate(tiles):
        Image.fromarray(tile).save(folder / f"{name}_{number}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, type=Path, help="holds the archive of CrackForest")
    parser.add_argument("--out", required=True, type=Path, help="a new folder")
    parser.add_argument("--side", type=int, default=SIDE, help="pixels of a tile")
    given = parser.parse_args()
    if given.out.exists():
        parser.error(f"--out={given.out} exists; give a new folder")
    cracked, good = write(given.data, given.out, given.side)
    print(f"{cracked} tiles with a crack, {good} without one")


if __name__ == "__main__":
    main()
