"""Prediction of the test part, of folders, and scores on a folder with masks."""

import csv
import dataclasses
import json
import shutil

import pytest
from PIL import Image

from tests.commands.mine import request, scores, settings
from tests.data.test_audit import SIZE
from uaps_jax.commands.evaluate import evaluate
from uaps_jax.commands.predict import predict
from uaps_jax.commands.predictions import UnpredictedFiles
from uaps_jax.commands.train import train
from uaps_jax.config import ConfigError
from uaps_jax.configs import folder_uaps
from uaps_jax.inference import inputs


def table(folder):
    with (folder / "report.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_is_trained_evaluated_and_predicted(root):
    train(request(root, settings(root, folder_uaps)))
    first = scores(root)
    evaluate(request(root, None))
    assert first[0] in scores(root)
    assert {line["part"] for line in scores(root)} == {"val", "test"}
    assert first[0]["labeled"] == 7
    predictions = root.parent / "run" / "predictions" / "step_2"
    drawn = predictions / "test"
    masks = {f.name: f.read_bytes() for f in drawn.glob("mask/**/*.png")}
    assert len(masks) == len({row["file"] for row in table(drawn)}) > 0
    for file in drawn.glob("mask/**/*.png"):  # at the size of the image, not of the network
        with Image.open(file) as mask:
            assert (mask.mode, mask.size) == ("P", (SIZE, SIZE))
    shutil.rmtree(drawn)
    predict(request(root, None))
    assert {f.name: f.read_bytes() for f in drawn.glob("mask/**/*.png")} == masks

    # Two inputs of the same name do not mix, and a bad file does not stop the others.
    other = root.parent / "other" / "images"
    shutil.copytree(root / "images", other)
    (other / "part_00.png").write_bytes(b"")
    (other / "part_01.png").unlink()
    with Image.open(other / "part_02.png") as image:
        tinted = image.convert("RGB").resize((SIZE, 2 * SIZE))
    tinted.putpixel((0, 0), (200, 0, 0))
    tinted.save(other / "part_02.png")
    predict(dataclasses.replace(request(root, None), input=root / "images", mm_per_pixel=0.5))
    with pytest.raises(UnpredictedFiles, match=r"(?s)1 file could not.*part_00.png: the file is"):
        predict(dataclasses.replace(request(root, None), input=other))
    folders = sorted(
        predictions.glob("images-*"), key=lambda folder: len(list(folder.glob("mask/*")))
    )
    assert [len(list(folder.glob("mask/*"))) for folder in folders] == [14, 16]
    assert [row["file"] for row in table(folders[0]) if row["problem"]] == ["part_00.png"]
    notes = {row["file"]: row["notes"] for row in table(folders[0]) if row["notes"]}
    assert set(notes) == {"part_02.png"}
    assert f"which had {SIZE} x {SIZE} px" in notes["part_02.png"]
    assert "it has colours, and the photographs of the training are grey" in notes["part_02.png"]
    assert all((folder / "report.html").is_file() for folder in folders)
    by_score = [float(row["score"]) for row in table(folders[1])]
    assert by_score == sorted(by_score, reverse=True)


def test_a_folder_with_masks_is_scored_as_the_test_part_would_be(root, caplog, capsys):
    train(request(root, settings(root)))
    of_test = [line for line in scores(root) if line["part"] == "test"][-1]
    names = json.loads((root.parent / "run" / "split.json").read_text())["test"]
    held = root.parent / "held"
    for kind in ("images", "masks"):
        (held / kind).mkdir(parents=True)
        for name in names:
            shutil.copy(root / kind / f"{name}.png", held / kind)
    shutil.copy(root / "classes.yaml", held)
    decided = sorted((root.parent / "run").rglob("*decision*"))
    given = dataclasses.replace(request(root, None), input=held)
    evaluate(given)
    entry = scores(root)[-1]
    assert (entry["part"], entry["input"], entry["dataset"]) == ("input", str(held), "folder")
    tables = {file.name for file in (root.parent / "run" / "evaluations").iterdir()}
    assert f"step_2_main_{inputs.label(held)}.csv" in tables
    different = {key for key in of_test if of_test[key] != entry[key]}
    assert different <= {"part", "build"}
    assert f"{held} scores, checkpoint latest" in capsys.readouterr().out
    assert "name of a training image" not in caplog.text
    assert sorted((root.parent / "run").rglob("*decision*")) == decided

    assert "images with a mask, such as" not in caplog.text
    with (
        Image.open(held / "images" / f"{names[0]}.png") as image,
        Image.open(held / "masks" / f"{names[0]}.png") as mask,
    ):
        image.resize((SIZE, SIZE + 2)).save(held / "images" / f"{names[0]}.png")
        mask.resize((SIZE, SIZE + 2), Image.Resampling.NEAREST).save(
            held / "masks" / f"{names[0]}.png"
        )
    evaluate(given)
    assert f"1 of the {len(names)} images with a mask, such as {names[0]}: its size" in caplog.text
    evaluate(dataclasses.replace(given, input=root))
    assert "have the name of a training image" in caplog.text
    (held / "classes.yaml").write_text("background: 0\ndent: 2\nscratch: 1\n")
    with pytest.raises(ConfigError, match=r"classes background, dent, scratch; the model has"):
        evaluate(given)
    shutil.copy(root / "classes.yaml", held)
    shutil.rmtree(held / "masks")
    with pytest.raises(ConfigError, match=f"none of its {len(names)} images has a mask"):
        evaluate(given)
    with pytest.raises(ConfigError, match="is not a folder; to evaluate, give one with images/"):
        evaluate(dataclasses.replace(given, input=held / "classes.yaml"))
