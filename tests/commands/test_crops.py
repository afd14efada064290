"""Training on crops: a run resumes to the bit, and whole images are scored in tiles."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from tests.commands import mine
from uaps_jax.commands import predictions
from uaps_jax.commands.evaluate import evaluate
from uaps_jax.commands.predict import predict
from uaps_jax.commands.request import Request
from uaps_jax.commands.train import train
from uaps_jax.configs import folder_uaps
from uaps_jax.evaluation import metrics
from uaps_jax.inference import inputs, trained
from uaps_jax.training import checkpoints, progress

TIMES = ("waiting_for_data", "steps_per_second")


def settings(root, resident_mib):
    config = mine.settings(root, folder_uaps)
    changes = {"fit": "crop", "defect_share": 0.5, "crop_scale_range": (0.8, 1.25)}
    for name, value in (changes | {"scale": 0.75, "resampling": "area"}).items():
        setattr(config.data, name, value)
    config.data.resident_mib = resident_mib
    config.train.steps, config.train.eval_every, config.checkpoint.every = 4, 2, 2
    config.train.log_every = 1
    config.evaluation.batch_size = 8
    config.evaluation.probe_images = 3
    config.evaluation.decision.aim, config.evaluation.decision.rate = "recall", 0.6
    return config


def metrics_of(workdir):
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in e.items() if not k.endswith(TIMES)} for e in lines]


def test_a_run_on_crops(root, monkeypatch):
    """Streamed and whole, or in memory and resumed: the same numbers."""
    streamed, resumed = root.parent / "streamed", root.parent / "resumed"
    train(Request(config=settings(root, 0), workdir=streamed, checkpoint="latest", input=None))
    request = Request(config=settings(root, 64), workdir=resumed, checkpoint="latest", input=None)
    calls, real = [], progress.Progress.step

    def lose_the_machine(self, values):
        calls.append(values)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(self, values)

    with monkeypatch.context() as patched:
        patched.setattr(progress.Progress, "step", lose_the_machine)
        with pytest.raises(KeyboardInterrupt):
            train(request)
    assert checkpoints.saved_steps(resumed)[-1] == 2
    train(request)
    of_streamed, of_resumed = metrics_of(streamed), metrics_of(resumed)
    later = [[e for e in entries if e["step"] > 2] for entries in (of_streamed, of_resumed)]
    assert later[0] == later[1]
    assert len(later[0]) >= 4  # two steps, validation, pseudo-labels
    assert "train/loss" in str(of_streamed)
    assert "probe/kept" in str(of_streamed)
    models = [trained.load(workdir, "latest") for workdir in (streamed, resumed)]
    for a, b in zip(*(jax.tree.leaves(m.variables) for m in models), strict=True):
        np.testing.assert_array_equal(a, b)

    # The scores are those of whole images, at their own size.
    model = models[0]
    names = model.record["test"]
    predicted = model.predict([root / "images" / f"{name}.png" for name in names])
    matrices = []
    for name, prediction in zip(names, predicted, strict=True):
        mask = prediction.mask
        assert prediction.not_ok == (prediction.score > model.decision.threshold)
        truth = np.array(Image.open(root / "masks" / f"{name}.png"))
        assert mask.shape == truth.shape == (48, 48)
        pairs = (3 * truth.astype(int) + mask).ravel()
        matrices.append(np.bincount(pairs, minlength=9).reshape(3, 3))
    expected = metrics.scores(np.stack(matrices), ("background", "scratch", "dent"))
    entries = [
        json.loads(line) for line in (streamed / "evaluations.jsonl").read_text().splitlines()
    ]
    latest = next(e for e in entries if (e["checkpoint"], e["part"]) == ("latest", "test"))
    not_ok = [prediction.not_ok for prediction in predicted]
    assert latest["found"] + latest["false_alarms"] == sum(not_ok)
    assert latest["threshold"] == model.decision.threshold
    for name in ("image_iou", "pixel_accuracy", "dataset_iou", "images"):
        assert latest[name] == pytest.approx(expected[name], abs=0.05)

    masks = sorted(streamed.glob("predictions/step_*/test/mask/*.png"))
    assert [np.array(Image.open(file)).shape for file in masks] == [(48, 48)] * len(names)
    assert (streamed / "contact_sheet.png").exists()
    evaluate(Request(config=None, workdir=streamed, checkpoint="latest", input=None, demo=2))
    assert (streamed / "demo" / "step_4.png").exists()
    predict(Request(config=None, workdir=streamed, checkpoint="latest", input=root / "images"))
    folder = predictions.folder(model) / inputs.label(root / "images")
    again = np.array(Image.open(folder / "mask" / f"{names[0]}.png"))
    assert (again == predicted[0].mask).mean() > 0.999
