"""Photographs of parts at full resolution with small defects, drawn from a seed.

    python -m benchmarks.photographs --out=FOLDER --count=120

writes a folder as `configs/folder_*.py` read it: `images` and `masks`, grey PNGs of 2000 x 1200
pixels, and `classes.yaml`. Half of the parts are good. The others have one to six defects, pits and
scratches of 5 to 40 px, at most 2 % of the pixels. Every part also shows what is no defect:
grinding marks that run across it, uneven light, and dark spots of dirt without an edge. An image
depends on the seed, its number and the size alone; so a smaller set is the start of a larger one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

CLASSES = "background: 0\npit: 1\nscratch: 2\n"
SHORTEST, LONGEST = 5, 40
"""Pixels of a defect's longer side."""
MOST_DEFECTS = 6


def photograph(seed: int, number: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Image uint8 `[H, W]` and mask uint8 `[H, W]` of a part; parts of even number are good."""
    random = np.random.default_rng((seed, number, height, width))
    surface = _surface(random, height, width)
    mask = np.zeros((height, width), np.uint8)
    defects = random.integers(1, MOST_DEFECTS + 1) if number % 2 else 0
    for _ in range(defects):
        length = random.integers(SHORTEST, LONGEST + 1)
        label = int(random.integers(1, 3))
        shape = (_pit if label == 1 else _scratch)(random, int(length))
        y, x = (random.integers(0, n - length) for n in (height, width))
        place = np.s_[y : y + length, x : x + length]
        surface[place] += shape * random.uniform(35, 75) * (-1 if label == 1 else 1)
        mask[place][shape > 0.5] = label
    noise = random.normal(0, 3, (height, width))
    return np.clip(surface + noise, 0, 255).astype(np.uint8), mask


def write(folder: Path, seed: int, count: int, height: int, width: int) -> None:
    """Writes photographs 0 to `count` - 1 as a folder of images and masks."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        arrays = photograph(seed, number, height, width)
        for kind, array in zip(("images", "masks"), arrays, strict=True):
            file = folder / kind / f"part_{number:04d}.png"
            Image.fromarray(array).save(file, compress_level=1)
    (folder / "classes.yaml").write_text(CLASSES)


def _surface(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Ground metal under uneven light, float64 `[H, W]` on the 0..255 scale."""
    rows, columns = np.arange(height)[:, None] / height, np.arange(width)[None] / width
    slope = random.uniform(-25, 25) * rows + random.uniform(-25, 25) * columns
    marks = ndimage.gaussian_filter(random.normal(0, 1, (height, 1)), 1.2, mode="wrap")
    wander = 1 + 0.3 * _clouds(random, height, width, 150)
    surface: np.ndarray = random.uniform(100, 150) + slope + 14 * marks * wander
    surface += 8 * _clouds(random, height, width, 60)
    for _ in range(random.integers(2, 6)):
        y, x = random.uniform(0, 1), random.uniform(0, 1)
        distance = ((rows - y) * height) ** 2 + ((columns - x) * width) ** 2
        surface -= random.uniform(15, 40) * np.exp(-distance / random.uniform(15, 40) ** 2)
    return surface


def _clouds(random: np.random.Generator, height: int, width: int, size: int) -> np.ndarray:
    """Smooth noise of about unit variance, structures of `size` pixels, `[H, W]`."""
    coarse = random.normal(0, 1, (height // size + 2, width // size + 2)).astype(np.float32)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image, np.float64)


def _pit(random: np.random.Generator, length: int) -> np.ndarray:
    """An ellipse whose longer axis is the side of the square, 1 inside, `[length, length]`."""
    angle, ratio = random.uniform(0, np.pi), random.uniform(0.6, 1)
    along, across = _turned(length, angle)
    distance = np.hypot(along, across / ratio)
    return np.clip(0.5 + (1 - distance) * length / 2, 0, 1)


def _scratch(random: np.random.Generator, length: int) -> np.ndarray:
    """A straight line 2 to 4 px wide across the square, 1 on it, `[length, length]`."""
    along, across = _turned(length, random.uniform(0, np.pi))
    half = random.uniform(1, 2)
    inside = np.clip(0.5 + half - np.abs(across) * length / 2, 0, 1)
    return inside * np.clip(0.5 + (1 - np.abs(along)) * length / 2, 0, 1)


def _turned(length: int, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates in turned axes, -1 to 1 along the sides of the square."""
    y, x = (np.indices((length, length)) + 0.5) * 2 / length - 1
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", required=True, type=Path, help="a new folder")
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--height", type=int, default=1200)
    parser.add_argument("--width", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.out.exists():
        parser.error(f"--out={given.out} exists; give a new folder")
    write(given.out, given.seed, given.count, given.height, given.width)


if __name__ == "__main__":
    main()
