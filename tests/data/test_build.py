"""Building a dataset from raw data."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from absl import logging
from PIL import Image

from uaps_jax.configs import train
from uaps_jax.data import build
from uaps_jax.datasets.folder.folder_dataset_builder import Builder


def test_of_two_at_once_one_builds_and_the_other_waits_for_it(tmp_path, monkeypatch):
    for folder, value in (("images", 90), ("masks", 0)):
        (tmp_path / folder).mkdir()
        for name in "ab":
            Image.fromarray(np.full((8, 8), value, np.uint8)).save(
                tmp_path / folder / f"{name}.png"
            )
    (tmp_path / "classes.yaml").write_text("background: 0\nscratch: 255\n")
    config = train.build(dataset="folder", method="supervised")
    config.data.manual_dir, config.data.data_dir = str(tmp_path), str(tmp_path / "built")

    building, go_on, waiting = threading.Event(), threading.Event(), threading.Event()
    real, built = Builder.download_and_prepare, []

    def slow(builder, **kwargs):
        building.set()
        assert go_on.wait(60)
        built.append(builder)
        real(builder, **kwargs)

    monkeypatch.setattr(Builder, "download_and_prepare", slow)
    monkeypatch.setattr(logging, "info", lambda text, *_: "waits" in text and waiting.set())
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(build.built, config.data)
        assert building.wait(60)
        second = threads.submit(build.built, config.data)
        assert waiting.wait(60)
        go_on.set()
        found = [done.result(60) for done in (first, second)]
    assert len(built) == 1
    assert [builder.info.splits["train"].num_examples for builder in found] == [2, 2]
