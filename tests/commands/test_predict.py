"""Prediction of the test part and of a folder."""

import dataclasses
import shutil

from tests.commands.mine import request, scores, settings
from uaps_jax.commands.evaluate import evaluate
from uaps_jax.commands.predict import predict
from uaps_jax.commands.train import train
from uaps_jax.configs import folder_uaps


def test_a_folder_is_trained_evaluated_and_predicted(root):
    train(request(root, settings(root, folder_uaps)))
    first = scores(root)
    evaluate(request(root, None))
    assert first[0] in scores(root)
    assert {line["part"] for line in scores(root)} == {"val", "test"}
    assert first[0]["labeled"] == 7
    again = dataclasses.replace(request(root, None), input=root / "images")
    predict(again)
    assert len(list((root.parent / "run/predictions/step_2/folder/mask").iterdir())) == 16
    drawn = root.parent / "run/predictions/step_2/test"
    masks = {f.name: f.read_bytes() for f in drawn.glob("mask/**/*.png")}
    assert masks
    shutil.rmtree(drawn)
    predict(request(root, None))
    assert {f.name: f.read_bytes() for f in drawn.glob("mask/**/*.png")} == masks
