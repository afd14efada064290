"""The modes on a user's folder: what a run saw stays what it is scored on."""

import dataclasses
import json
import shutil

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from configs import folder_supervised, folder_uaps
from datasets.common import DataError
from tests.data.test_audit import defect, save, texture
from uaps_jax import modes
from uaps_jax.config import ConfigError
from uaps_jax.training.checkpoints import CheckpointError

CLASSES = "background: 0\nscratch: 1\ndent: 2\n"


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "mine"
    for index in range(16):
        mask = defect() * (1 + index % 2) if index < 10 else None
        save(folder, f"part_{index:02d}", texture(index), mask)
    (folder / "classes.yaml").write_text(CLASSES)
    return folder


def settings(root, method=folder_supervised):
    config = method.get_config("small")
    config.data.manual_dir, config.data.data_dir = str(root), str(root.parent / "built")
    config.data.height = config.data.width = 16
    config.model.widths, config.model.dropout = (4, 6), (0.0, 0.0)
    config.train.steps = config.train.eval_every = 2
    return config


def request(root, config):
    workdir = root.parent / "run"
    return modes.Request(config=config, workdir=workdir, checkpoint="latest", input=None)


def scores(root):
    lines = (root.parent / "run" / "evaluations.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_folder_is_trained_evaluated_and_predicted(root):
    modes.train(request(root, settings(root, folder_uaps)))
    first = scores(root)
    modes.evaluate(request(root, None))
    assert first[0] in scores(root)
    assert {line["part"] for line in scores(root)} == {"val", "test"}
    assert first[0]["labeled"] == 7
    again = dataclasses.replace(request(root, None), input=root / "images")
    modes.predict(again)
    assert len(list((root.parent / "run/predictions/step_2/folder/mask").iterdir())) == 16
    drawn = root.parent / "run/predictions/step_2/test"
    masks = {f.name: f.read_bytes() for f in drawn.glob("mask/**/*.png")}
    assert masks
    shutil.rmtree(drawn)
    modes.predict(request(root, None))
    assert {f.name: f.read_bytes() for f in drawn.glob("mask/**/*.png")} == masks


def test_a_checkpoint_is_exported_with_its_classes(root):
    modes.train(request(root, settings(root)))
    modes.export(request(root, None))
    session = onnxruntime.InferenceSession(root.parent / "run" / "export" / "step_2.onnx")
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == ["background", "scratch", "dent"]
    assert about["method"] == "supervised"
    image = np.asarray(Image.open(root / "images" / "part_00.png").convert("RGB"))
    mask, _ = session.run(None, {"images": image[None]})
    modes.predict(dataclasses.replace(request(root, None), input=root / "images"))
    drawn = root.parent / "run/predictions/step_2/folder/mask/part_00.png"
    assert (mask[0] == np.asarray(Image.open(drawn))).mean() > 0.999


def test_a_range_of_checkpoints_is_scored_and_drawn(root):
    config = settings(root)
    config.train.steps, config.train.eval_every = 4, 4
    config.checkpoint.every = config.checkpoint.keep_every = 1
    modes.train(request(root, config))
    (root.parent / "run" / "evaluations.jsonl").unlink()
    some = dataclasses.replace(request(root, None), checkpoint="2-3", demo=2)
    modes.evaluate(some)
    assert [(line["step"], line["part"]) for line in scores(root)] == [
        (2, "val"),
        (2, "test"),
        (3, "val"),
        (3, "test"),
    ]
    drawn = sorted(f.name for f in (root.parent / "run" / "demo").iterdir())
    assert drawn == ["step_2.png", "step_3.png"]
    modes.evaluate(dataclasses.replace(some, checkpoint="3-", demo=0))
    assert [line["step"] for line in scores(root)][-2:] == [4, 4]
    for wrong in ("9-", "3-2", "-2", "a-b"):
        with pytest.raises(CheckpointError, match="there are 1, 2, 3, 4"):
            modes.evaluate(dataclasses.replace(some, checkpoint=wrong))


def test_streamed_from_the_dataset_equals_resident(root):
    """On disk the images are of other sizes and formats than the network sees."""
    runs = {}
    for name, mebibytes in (("resident", 64), ("streamed", 0)):
        config = settings(root, folder_uaps)
        config.data.resident_mib = mebibytes
        workdir = root.parent / name
        modes.train(dataclasses.replace(request(root, config), workdir=workdir))
        lines = (workdir / "metrics.jsonl").read_text().splitlines()
        runs[name] = [
            {k: v for k, v in json.loads(line).items() if "waiting" not in k and "per_sec" not in k}
            for line in lines
        ]
    assert runs["resident"] == runs["streamed"]
    assert "train/loss" in str(runs["streamed"])


def test_classes_in_another_order_are_noticed(root):
    modes.train(request(root, settings(root)))
    (root / "classes.yaml").write_text("background: 0\ndent: 2\nscratch: 1\n")
    with pytest.raises(ConfigError, match=r"classes: .*'scratch', 'dent'\] -> .*'dent', 'scratch'"):
        modes.train(request(root, settings(root)))
    with pytest.raises(ConfigError, match="knows the classes background, scratch, dent, in this"):
        modes.evaluate(request(root, None))


def test_a_changed_mask_stops_a_resumed_run_and_is_said_in_evaluation(root, caplog):
    modes.train(request(root, settings(root)))
    save(root, "part_00", texture(0), defect(9))
    with pytest.raises(ConfigError, match="holds a run on other data"):
        modes.train(request(root, settings(root)))
    modes.evaluate(request(root, None))
    assert "images or masks have changed since" in caplog.text


def test_more_images_do_not_change_what_is_tested(root):
    modes.train(request(root, settings(root)))
    before = json.loads((root.parent / "run" / "split.json").read_text())
    (root.parent / "run" / "split.json").unlink()
    for index in range(20, 30):
        save(root, f"part_{index:02d}", texture(index), defect())
    modes.evaluate(request(root, None))
    assert [s["images"] for s in scores(root) if s["part"] == "test"][-1] == len(before["test"])
    (root / f"masks/{before['test'][0]}.png").unlink()
    with pytest.raises(ConfigError, match=f"1 val and test images.*{before['test'][0]} among"):
        modes.evaluate(request(root, None))


def test_a_split_can_be_written_changed_and_used(root):
    config = settings(root)
    modes.split(request(root, config))
    folder = root.parent / "run"
    written = json.loads((folder / "split.json").read_text())
    for part in ("labeled", "unlabeled", "val", "test"):
        assert (folder / f"{part}.txt").read_text().split() == written[part]
    moved = written["labeled"].pop()
    written["unlabeled"].append(moved)
    (folder / "mine.json").write_text(json.dumps(written))
    config = settings(root)
    config.data.protocol, config.data.split_file = "file", str(folder / "mine.json")
    modes.train(request(root, config))
    assert moved in json.loads((folder / "split.json").read_text())["unlabeled"]

    (folder / "names.txt").write_text(f"# two\n{written['labeled'][0]}\n")
    config = settings(root)
    config.data.labeled_list = str(folder / "names.txt")
    modes.split(dataclasses.replace(request(root, config), workdir=folder / "other"))
    listed = json.loads((folder / "other" / "split.json").read_text())
    assert listed["labeled"] == written["labeled"][:1]
    assert listed["test"] == written["test"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"protocol": "native"}, "folder has no val and no test part"),
        ({"protocol": "published"}, "folder does not have it; it has grouped, file"),
        ({"protocol": "file", "split_file": "nowhere.json"}, "nowhere.json: is no split.json"),
        ({"labeled_list": "nowhere.txt"}, "nowhere.txt': cannot be read"),
        ({"labeled_count": 70}, "labeled_count = 70: only 7 training images"),
    ],
)
def test_a_split_that_cannot_be_made_is_explained(root, change, reason):
    config = settings(root)
    for name, value in change.items():
        setattr(config.data, name, value)
    with pytest.raises(ConfigError, match=reason):
        modes.split(request(root, config))
    assert not (root.parent / "run").exists()


def test_a_table_that_divides_the_images_is_not_divided_anew(root):
    rows = [
        f"images/part_{i:02d}.png,masks/part_{i:02d}.png,{s}"
        for i, s in enumerate(("train", "val", "test"))
    ]
    (root / "list.csv").write_text("\n".join(["image,mask,split", *rows]))
    config = settings(root)
    config.data.folder.table = "list.csv"
    with pytest.raises(ConfigError, match="set data.protocol=native"):
        modes.split(request(root, config))
    config = settings(root)
    config.data.folder.table, config.data.protocol = "list.csv", "native"
    modes.split(request(root, config))
    assert (root.parent / "run" / "test.txt").read_text() == "images/part_02\n"


def test_a_folder_without_any_mask_is_explained(tmp_path):
    for index in range(3):
        save(tmp_path / "mine", f"p{index}", texture(index), None)
    (tmp_path / "mine" / "classes.yaml").write_text(CLASSES)
    with pytest.raises(ConfigError, match="none of the 3 images has a mask"):
        modes.train(request(tmp_path / "mine", settings(tmp_path / "mine")))


def test_bad_files_leave_nothing_that_a_later_run_would_trust(root):
    (root / "masks/part_03.png").write_bytes(b"")
    Image.fromarray(np.full((48, 48), 9, np.uint8)).save(root / "masks/part_04.png")
    with pytest.raises(
        DataError, match=r"(?s)part_03\.png: the file is empty.*part_04\.png: .*: 9"
    ):
        modes.train(request(root, settings(root)))
    assert not (root.parent / "run").exists()
    assert not [p for p in (root.parent / "built").rglob("*") if p.is_file()]
