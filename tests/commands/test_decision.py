"""The decision of a run: set by training and evaluation, the same from Python and in ONNX."""

import csv
import dataclasses
import json

import numpy as np
import onnxruntime
import pytest
from PIL import Image

import uaps_jax
from tests.commands.mine import request, scores, settings
from tests.data.test_audit import defect, save, texture
from tests.inference.exports import decided
from uaps_jax.commands.evaluate import evaluate
from uaps_jax.commands.export import export
from uaps_jax.commands.predict import predict
from uaps_jax.commands.train import train
from uaps_jax.config import ConfigError
from uaps_jax.evaluation import image_score
from uaps_jax.evaluation.decision import Decision
from uaps_jax.inference import inputs
from uaps_jax.training import decisions


@pytest.fixture
def root(tmp_path):
    """Thirty parts, half of them good."""
    folder = tmp_path / "mine"
    for index in range(30):
        mask = defect() * (1 + index % 3)
        mask[mask == 3] = 0
        save(folder, f"part_{index:02d}", texture(index), mask if index % 2 else mask * 0)
    (folder / "classes.yaml").write_text("background: 0\nscratch: 1\ndent: 2\n")
    return folder


def configured(root, **decision):
    config = settings(root)
    config.data.shares = (0.3, 0.4, 0.3)
    config.evaluation.decision.top_pixels = 8
    for name, value in decision.items():
        setattr(config.evaluation.decision, name, value)
    return config


def files(root):
    return sorted((root / "images").iterdir())


def is_defective(file):
    return bool(np.asarray(Image.open(file.parent.parent / "masks" / file.name)).any())


def counted(root, model, part):
    """False alarms, good images, found and defective ones, by the verdicts of `predict`."""
    chosen = [file for file in files(root) if file.stem in model.record[part]]
    verdicts = [prediction.not_ok for prediction in model.predict(chosen)]
    truth = [is_defective(file) for file in chosen]
    pairs = list(zip(verdicts, truth, strict=True))
    false_alarms, found = pairs.count((True, False)), pairs.count((True, True))
    return false_alarms, truth.count(False), found, truth.count(True)


def of_onnx(root, model):
    """The decision in the exported file, and its scores and verdicts of all images."""
    export(request(root, None))
    file = root.parent / "run" / "export" / f"step_{model.step}.onnx"
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    images = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files(root)])
    found = session.run(["score", "not_ok"], {"images": images})
    about = session.get_modelmeta().custom_metadata_map
    return Decision.from_json(about["decision"]), *found


def assert_same_everywhere(root, model):
    predictions = model.predict(files(root))
    decision, of_file, verdicts = of_onnx(root, model)
    assert decision == model.decision
    np.testing.assert_allclose(of_file, [p.score for p in predictions], rtol=1e-4)
    assert verdicts.tolist() == [p.not_ok for p in predictions]
    assert len(set(of_file.tolist())) > 3


def test_a_decision_is_that_of_the_validation_images_everywhere(root, capsys, caplog):
    train(request(root, configured(root)))
    model = uaps_jax.load(root.parent / "run", "latest")
    decision = model.decision
    assert (decision.rule.top_pixels, decision.target.rate) == (8, 0.05)
    numbers = (decision.false_alarms, decision.good, decision.found, decision.defective)
    assert counted(root, model, "val") == numbers
    assert decision.false_alarms == 0
    assert f"{decision.good} good validation images cannot set a false-alarm rate" in caplog.text
    assert_same_everywhere(root, model)

    lines = {line["part"]: line for line in scores(root) if line["step"] == model.step}
    for part, line in lines.items():
        names = ("false_alarms", "good_images", "found", "defective_images")
        assert counted(root, model, part) == tuple(line[name] for name in names)
        assert line["threshold"] == decision.threshold
        file = root.parent / "run" / "evaluations" / f"step_{model.step}_main_{part}.csv"
        with file.open(newline="") as opened:
            judged = [(row["truth"], row["verdict"]) for row in csv.DictReader(opened)]
        assert judged.count(("good", "not OK")) == line["false_alarms"]
        assert judged.count(("defective", "not OK")) == line["found"]
        assert len(judged) == line["images"]
        assert 0 <= line["auroc"] <= 100
    assert set(lines) == {"val", "test"}
    printed = capsys.readouterr().out
    assert printed.index("false alarms") < printed.index("image_iou")  # of a folder, first
    assert "leakage groups found" in printed
    assert "The threshold was set on these images" in printed


def test_an_evaluation_sets_another_decision(root):
    train(request(root, configured(root)))
    untrained = uaps_jax.load(root.parent / "run", "latest").predict(files(root))
    asked = {
        "aim": "recall",
        "rate": 0.9,
        "score": "area",
        "pixel_threshold": float(np.median([1 - p.probabilities[..., 0] for p in untrained])),
        "minimum_area": 20,
    }
    keys = tuple(f"evaluation.decision.{name}" for name in asked)
    changed = dataclasses.replace(request(root, configured(root, **asked)), overrides=keys)
    evaluate(changed)
    model = uaps_jax.load(root.parent / "run", "latest")
    decision = model.decision
    assert dataclasses.asdict(decision.target) == {"aim": "recall", "rate": 0.9}
    assert (decision.rule.kind, decision.rule.minimum_area) == ("area", 20)
    assert decision.found >= 0.9 * decision.defective
    assert counted(root, model, "val")[2] == decision.found
    assert_same_everywhere(root, model)
    config = configured(root, **asked | {"rate": 0.95})
    for command in (export, predict):
        with pytest.raises(ConfigError, match=r"step 2 is for a recall of 90 %.*--mode=evaluate"):
            command(dataclasses.replace(request(root, config), overrides=keys))


def test_without_good_images_there_is_a_sentence_and_no_decision(tmp_path, capsys, caplog):
    root = tmp_path / "mine"
    for index in range(10):
        save(root, f"part_{index:02d}", texture(index), defect() * (1 + index % 2))
    (root / "classes.yaml").write_text("background: 0\nscratch: 1\ndent: 2\n")
    train(request(root, settings(root)))
    said = [r.getMessage() for r in caplog.records if "no decision" in r.getMessage()]
    assert len(said) == 1
    assert "no validation image without a defect" in said[0]
    model = uaps_jax.load(root.parent / "run", "latest")
    assert model.decision is None
    prediction = model.predict(files(root)[0])
    assert prediction.not_ok is None
    assert prediction.score > 0
    assert json.loads(json.dumps(scores(root)[-1]["auroc"])) is None
    assert "found" not in capsys.readouterr().out


def test_with_pad_there_is_no_decision_and_a_crf_is_said_not_to_count(root, caplog):
    config = configured(root)
    config.data.fit = "pad"
    train(request(root, config))
    model = uaps_jax.load(root.parent / "run", "latest")
    rule = image_score.rule_of(config.evaluation.decision)
    decisions.write(model.directory, model.step, model.predictor, decided(rule))
    caplog.clear()
    key = "evaluation.crf.iterations"
    config.evaluation.crf.iterations = 2
    evaluate(dataclasses.replace(request(root, config), overrides=(key,)))
    messages = [record.getMessage() for record in caplog.records]
    assert sum("data.fit=crop or data.fit=resize to have a decision" in m for m in messages) == 1
    assert sum(m.startswith("scores are without the CRF") for m in messages) == 1
    assert not list((model.directory / "decisions").iterdir())
    assert "threshold" not in scores(root)[-1]
    given = dataclasses.replace(request(root, None), input=root, demo=2)
    evaluate(given)
    evaluate(dataclasses.replace(given, input=None))
    drawn = {file.name for file in (model.directory / "demo").iterdir()}
    assert drawn == {"step_2.png", f"step_2_{inputs.label(root)}.png"}
