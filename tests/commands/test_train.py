"""Training on a user's folder: a run resumes on the images that it started with."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from tests.commands.mine import CLASSES, request, settings
from tests.data.test_audit import defect, save, texture
from uaps_jax.commands.evaluate import evaluate
from uaps_jax.commands.train import train
from uaps_jax.config import ConfigError
from uaps_jax.configs import folder_uaps
from uaps_jax.datasets.common import DataError


def test_streamed_from_the_dataset_equals_resident(root):
    """On disk the images are of other sizes and formats than the network's input."""
    runs = {}
    for name, mebibytes in (("resident", 64), ("streamed", 0)):
        config = settings(root, folder_uaps)
        config.data.resident_mib = mebibytes
        workdir = root.parent / name
        train(dataclasses.replace(request(root, config), workdir=workdir))
        lines = (workdir / "metrics.jsonl").read_text().splitlines()
        runs[name] = [
            {k: v for k, v in json.loads(line).items() if "waiting" not in k and "per_sec" not in k}
            for line in lines
        ]
    assert runs["resident"] == runs["streamed"]
    assert "train/loss" in str(runs["streamed"])


def test_a_changed_mask_stops_a_resumed_run_and_is_reported_in_evaluation(root, caplog):
    train(request(root, settings(root)))
    save(root, "part_00", texture(0), defect(9))
    with pytest.raises(ConfigError, match="holds a run on other data"):
        train(request(root, settings(root)))
    evaluate(request(root, None))
    assert "images or masks have changed since" in caplog.text


def test_a_folder_without_any_mask_is_explained(tmp_path):
    for index in range(3):
        save(tmp_path / "mine", f"p{index}", texture(index), None)
    (tmp_path / "mine" / "classes.yaml").write_text(CLASSES)
    with pytest.raises(ConfigError, match="none of the 3 images has a mask"):
        train(request(tmp_path / "mine", settings(tmp_path / "mine")))


def test_bad_files_leave_no_dataset_for_a_later_run(root):
    (root / "masks/part_03.png").write_bytes(b"")
    Image.fromarray(np.full((48, 48), 9, np.uint8)).save(root / "masks/part_04.png")
    with pytest.raises(
        DataError, match=r"(?s)part_03\.png: the file is empty.*part_04\.png: .*: 9"
    ):
        train(request(root, settings(root)))
    assert not (root.parent / "run").exists()
    assert not [p for p in (root.parent / "built").rglob("*") if p.is_file()]
