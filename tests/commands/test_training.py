"""Training from Python: without flags, from any directory, and its errors."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import uaps_jax
from tests import tiny
from tests.commands.mine import settings
from uaps_jax import methods
from uaps_jax.commands import opening, training
from uaps_jax.config import ConfigError
from uaps_jax.data import rough, source
from uaps_jax.data.crops import Crops
from uaps_jax.training.interrupt import Interrupted

PROJECT = Path(__file__).resolve().parents[2]


def test_a_training_gives_the_model_of_its_best_checkpoint(root):
    workdir = root.parent / "run"
    model = uaps_jax.train(settings(root), workdir)
    result = json.loads((workdir / "result.json").read_text())
    assert (model.step, model.checkpoint) == (result["scores"]["best"]["step"], "best")
    assert model.class_names == ("background", "scratch", "dent")
    image = np.zeros((20, 30, 3), np.uint8)
    again = uaps_jax.load(workdir)
    for actual, expected in zip(again.predict(image), model.predict(image), strict=True):
        np.testing.assert_array_equal(actual, expected)
    before = (workdir / "metrics.jsonl").read_bytes()
    assert uaps_jax.train(settings(root), str(workdir)).step == model.step  # there is nothing to do
    assert (workdir / "metrics.jsonl").read_bytes() == before


def test_training_images_alone_get_rough_masks(root, monkeypatch):
    config = settings(root)
    config.data.rough = dataclasses.replace(config.data.rough, kind="dilation", radius=2)

    class Stopped(Exception):
        pass

    def stop(config, directory, pools, *rest):
        raise Stopped(pools)

    monkeypatch.setattr(training.loop, "train", stop)
    with pytest.raises(Stopped) as stopped:
        uaps_jax.train(config, root.parent / "run")
    [pools] = stopped.value.args
    _, dataset = opening.open_dataset(config)
    for pool, is_rough in ((pools.train["labeled"], True), (pools.val, False)):
        exact = source.read(dataset, pool.names, config.data).masks
        grown = np.stack([rough.dilated(mask, 2) for mask in exact])
        assert (grown != exact).any()
        np.testing.assert_array_equal(pool.masks, grown if is_rough else exact)


def test_pictures_that_cannot_be_drawn_do_not_hide_that_a_run_was_stopped(
    root, monkeypatch, caplog
):
    class Held:
        pass

    held = []

    def stop(*given):
        state = Held()
        held.append(weakref.ref(state))
        raise Interrupted(signal.SIGTERM, 3)

    def draw(*given):
        assert held[0]() is None  # its memory is free
        raise ValueError("no curves")

    monkeypatch.setattr(training.loop, "train", stop)
    monkeypatch.setattr(training, "draw_stopped", draw)
    with pytest.raises(Interrupted, match="stopped after step 3"):
        uaps_jax.train(settings(root), root.parent / "run")
    assert "the pictures are not drawn: ValueError: no curves" in caplog.text


def test_settings_that_cannot_be_trained_are_a_sentence(root):
    config = settings(root)
    config.train.steps = 0
    with pytest.raises(ConfigError, match="train.steps = 0: must be at least 1"):
        uaps_jax.train(config, root.parent / "run")
    assert not (root.parent / "run").exists()


SCRIPT = """
import uaps_jax

config = uaps_jax.load_config(
    "configs/train.py:dataset=folder,method=supervised,variant=small",
    {
        "data.manual_dir": "mine",
        "data.height": 16,
        "data.width": 16,
        "network.widths": (4, 6),
        "network.dropout": (0.0, 0.0),
        "train.steps": 1,
        "train.eval_every": 1,
    },
)
model = uaps_jax.train(config, "runs/first")
print(model.step, model.class_names, model.predict("mine/images/part_00.png").mask.shape)
"""


def test_a_script_trains_in_its_own_directory_with_a_packaged_configuration(root):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "--config=nothing"],
        cwd=root.parent,
        env=os.environ | {"PYTHONPATH": str(PROJECT), "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    last = done.stdout.splitlines()[-1]
    assert last == "1 ('background', 'scratch', 'dent') (48, 48)"
    names = sorted(entry.name for entry in root.parent.iterdir())
    assert names == ["data", "mine", "runs"]


def _crops(pool):
    row = {name: index for index, name in enumerate(pool.names)}
    return Crops(
        names=pool.names,
        load=lambda name: (pool.images[row[name]], pool.masks[row[name]]),
        defects={},
        data=tiny.config().data,
    )


@pytest.mark.parametrize("kept", ["in memory", "in files", "cropped"])
def test_shares_of_labeled_classes_are_counted_where_masks_are_at_hand_or_needed(kept):
    pools = tiny.pools()
    images = pools.train["labeled"]
    if kept == "in files":
        images = tiny.in_files(pools).train["labeled"]
    elif kept == "cropped":
        images = _crops(images)
    dataset = SimpleNamespace(class_names=tiny.CLASS_NAMES)
    for method in ("supervised", "fixmatch"):
        counted = kept == "in memory" or method == "fixmatch"
        shares = training._labeled_shares(methods.build(tiny.config(method)), images, dataset)
        assert shares == (pools.labeled_shares if counted else {})
