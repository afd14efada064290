"""Evaluation: a checkpoint is scored on what it was trained on."""

import dataclasses
import json

import pytest

from tests.commands.mine import request, scores, settings
from tests.data.test_audit import defect, save, texture
from uaps_jax.commands.evaluate import evaluate
from uaps_jax.commands.train import train
from uaps_jax.config import ConfigError
from uaps_jax.training.checkpoints import CheckpointError


def test_a_range_of_checkpoints_is_scored_and_drawn(root):
    config = settings(root)
    config.train.steps, config.train.eval_every = 4, 4
    config.checkpoint.every = config.checkpoint.keep_every = 1
    train(request(root, config))
    (root.parent / "run" / "evaluations.jsonl").unlink()
    some = dataclasses.replace(request(root, None), checkpoint="2-3", demo=2)
    evaluate(some)
    assert [(line["step"], line["part"]) for line in scores(root)] == [
        (2, "val"),
        (2, "test"),
        (3, "val"),
        (3, "test"),
    ]
    drawn = sorted(f.name for f in (root.parent / "run" / "demo").iterdir())
    assert drawn == ["step_2.png", "step_3.png"]
    evaluate(dataclasses.replace(some, checkpoint="3-", demo=0))
    assert [line["step"] for line in scores(root)][-2:] == [4, 4]
    for wrong in ("9-", "3-2", "-2", "a-b"):
        with pytest.raises(CheckpointError, match="there are 1, 2, 3, 4"):
            evaluate(dataclasses.replace(some, checkpoint=wrong))


def test_classes_in_another_order_are_noticed(root):
    train(request(root, settings(root)))
    (root / "classes.yaml").write_text("background: 0\ndent: 2\nscratch: 1\n")
    with pytest.raises(ConfigError, match=r"classes: .*'scratch', 'dent'\] -> .*'dent', 'scratch'"):
        train(request(root, settings(root)))
    with pytest.raises(ConfigError, match="knows the classes background, scratch, dent, in this"):
        evaluate(request(root, None))


def test_more_images_do_not_change_what_is_tested(root):
    train(request(root, settings(root)))
    before = json.loads((root.parent / "run" / "split.json").read_text())
    (root.parent / "run" / "split.json").unlink()
    for index in range(20, 30):
        save(root, f"part_{index:02d}", texture(index), defect())
    evaluate(request(root, None))
    assert [s["images"] for s in scores(root) if s["part"] == "test"][-1] == len(before["test"])
    (root / f"masks/{before['test'][0]}.png").unlink()
    with pytest.raises(ConfigError, match=f"1 val and test images.*{before['test'][0]} among"):
        evaluate(request(root, None))
