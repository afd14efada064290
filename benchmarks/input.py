"""Images and masks from disk to batches in memory: Grain's threads against a PyTorch DataLoader.

    python -m benchmarks.input --manual_dir=FOLDER

NEU-Seg, decoded and resized to the network's size, uint8, labeled and unlabeled batches as in
training; PyTorch reads the extracted PNGs with worker processes, as is usual there. Where training
images fit on the device, neither is needed: they are read once. Prints images per second, the
median of the turns; the results go to `benchmarks/results/input.jsonl`.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.measuring import record
from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.configs import train
from uaps_jax.configs.parts import datasets
from uaps_jax.data import protocols, source, streams

WARM_UP_BATCHES = 20


class Files(torch.utils.data.Dataset[tuple[torch.Tensor, ...]]):
    """PNGs of images and masks, decoded and resized by Pillow."""

    def __init__(self, folder: Path, names: list[str], size: int) -> None:
        """Names have a file in both `images` and `masks`."""
        self._folder, self._names, self._size = folder, names, size

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        return tuple(
            torch.from_numpy(np.array(self._read(kind, index))) for kind in ("images", "masks")
        )

    def _read(self, kind: str, index: int) -> Image.Image:
        with Image.open(self._folder / kind / f"{self._names[index]}.png") as image:
            image.load()
        size = (self._size, self._size)
        return image.resize(size, Image.Resampling.NEAREST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--manual_dir", required=True, help="folder of the downloaded NEU-Seg")
    parser.add_argument("--data_dir", default="data", help="folder of the built datasets")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--batches", type=int, default=60, help="of each turn")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="threads, processes")
    given = parser.parse_args()
    config = train.build(dataset="neu", method="uaps")
    config.data.manual_dir, config.data.data_dir = given.manual_dir, given.data_dir
    config.data.height = config.data.width = given.size
    config.data.stream_threads = given.workers
    config.train.batch_labeled = config.train.batch_unlabeled = given.batch
    dataset = source.open_dataset(config.data)
    config = config_lib.with_classes(config_lib.validate(config), dataset.class_names)
    method, parts = methods.build(config), protocols.make_split(dataset, config.data)
    pools = {pool: source.files(dataset, parts[pool], config.data) for pool in parts}
    with tempfile.TemporaryDirectory() as folder:
        names = _write(Path(folder), dataset, [*parts["labeled"], *parts["unlabeled"]])
        loader: Any = torch.utils.data.DataLoader(
            Files(Path(folder), names, given.size),
            2 * given.batch,
            shuffle=True,
            num_workers=given.workers,
            drop_last=True,
            persistent_workers=True,
            multiprocessing_context="forkserver",
        )
        ours = streams.decoded_batches(config, method.streams, pools, 0, process=0, processes=1)
        theirs = itertools.chain.from_iterable(iter(loader) for _ in itertools.count())
        feeds: dict[str, Iterator[Any]] = {"uaps_jax": ours, "PyTorch": theirs}
        rates: dict[str, list[float]] = {name: [] for name in feeds}
        for _ in range(3):
            for name, feed in feeds.items():
                _take(feed, WARM_UP_BATCHES)
                rates[name].append(2 * given.batch * given.batches / _take(feed, given.batches))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, rate in medians.items():
        print(f"{name}: {rate:.0f} images/s with {given.workers} workers, {given.size} px")
    print(f"ratio {medians['uaps_jax'] / medians['PyTorch']:.2f}")
    kept = {k: v for k, v in vars(given).items() if not k.endswith("_dir")}
    record("input", kept | {"cores": os.cpu_count(), "images_per_second": medians})


def _take(feed: Iterator[Any], count: int) -> float:
    started = time.perf_counter()
    for _ in itertools.islice(feed, count):
        pass
    return time.perf_counter() - started


def _write(folder: Path, dataset: source.Dataset, names: list[str]) -> list[str]:
    """Writes images and masks as PNGs; returns their names in the folder."""
    (folder / "images").mkdir()
    (folder / "masks").mkdir()
    whole = datasets.neu_seg().data
    whole.height = whole.width = 200
    pool = source.read(dataset, names, whole)
    for row in range(len(names)):
        Image.fromarray(pool.images[row]).save(folder / "images" / f"{row}.png")
        Image.fromarray(pool.masks[row]).save(folder / "masks" / f"{row}.png")
    return [str(row) for row in range(len(names))]


if __name__ == "__main__":
    main()
