"""The folder of a small queue, as `--mode=queue` writes it, without a model."""

import hashlib

import numpy as np
from PIL import Image

from uaps_jax import palette
from uaps_jax.annotation_queue import entry
from uaps_jax.annotation_queue.entry import Entry
from uaps_jax.annotations import class_list

CLASSES = ("background", "scratch", "dent")
HEIGHT, WIDTH = 12, 20


def proposal(rank):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[2:6, rank : rank + 5] = 1 + rank % 2
    return mask


def write(folder, count=4, size=(HEIGHT, WIDTH)):
    """A queue of `count` images of noise; the second lies in a folder of its own."""
    entries = []
    for rank in range(1, count + 1):
        name = f"deep/part_{rank:02d}" if rank == 2 else f"part_{rank:02d}"
        random = np.random.default_rng(rank)
        pixels = Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8))
        mask = np.zeros(size, np.uint8)
        mask[:HEIGHT, :WIDTH] = proposal(rank)
        for kind, suffix in (("images", "png"), ("photograph", "jpg"), ("uncertainty", "png")):
            file = folder / kind / f"{name}.{suffix}"
            file.parent.mkdir(parents=True, exist_ok=True)
            (pixels.convert("L") if kind == "uncertainty" else pixels).save(file)
        file = folder / "mask" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(palette.png(mask))
        image = folder / "images" / f"{name}.png"
        entries.append(
            Entry(
                rank=rank,
                name=name,
                image=f"{name}.png",
                path=f"/camera/{name}.png",
                sha256=hashlib.sha256(image.read_bytes()).hexdigest(),
                width=size[1],
                height=size[0],
                score=0.5 / rank,
                ambiguity=0.4 / rank,
                disagreement=0.1 / rank,
                distance=None if rank == 1 else 0.5,
                minutes=0.5,
                shares={"background": 0.9, "scratch": 0.1, "dent": 0.0},
                notes=(),
            )
        )
    (folder / entry.LINES).write_text(entry.to_lines(entries))
    values = {"background": 0, "scratch": 1, "dent": 2, "ignore": 255}
    class_list.write(folder, values)
    return folder
