"""Rounds of annotation: nested labels, files of every round, resume to the bit, waiting files."""

import csv
import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tests import published
from tests.commands import mine
from uaps_jax.commands import recipe as command
from uaps_jax.config import ConfigError
from uaps_jax.configs import folder_active
from uaps_jax.recipes import acquire, stage
from uaps_jax.recipes.acquire import Known
from uaps_jax.recipes.stage import Waiting
from uaps_jax.study import pseudo_labels
from uaps_jax.training.interrupt import Interrupted

CHAINS = ("hybrid", "random")


def recipe(root, **settings):
    """A start and a round on a user's folder, in a simulation if nothing else is set."""
    made = folder_active.get_config("small")
    base = made.base
    base.data.manual_dir, base.data.data_dir = str(root / "mine"), str(root / "built")
    base.data.shares = (0.6, 0.2, 0.2)
    base.data.height = base.data.width = 16
    base.network.widths, base.network.dropout = (4, 6), (0.0, 0.3)
    base.train.steps = base.train.eval_every = base.checkpoint.every = 2
    base.train.batch_labeled = base.train.batch_unlabeled = 2
    base.evaluation.batch_size = 4
    made.acquisition.features = "texture"
    simulated = {"annotation": "simulated", "start": "random", "baselines": ("random",)}
    usual = {"start_images": 2, "added": (2.0,), "metric": "dataset_iou"}
    for name, value in (usual | simulated | settings).items():
        setattr(made, name, value)
    return made


def run(root, config, name="run", again=None):
    command.recipe(
        dataclasses.replace(mine.request(root / "mine", config), workdir=root / name, stage=again)
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A user's folder, and a simulation in `run`."""
    root = tmp_path_factory.mktemp("active")
    mine.write_folder(root / "mine")
    run(root, recipe(root))
    return root


def labels(folder):
    return (folder / "labeled.txt").read_text().split()


def images(folder):
    with (folder / "images.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def written(folder):
    """The files of the passes and the last checkpoints, without what holds times."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
        and ("select" in file.parts or "report" in file.parts or file.name == "result.json")
        and file.name != "stage.json"
        and "previous-1" not in str(file)
    }


def test_the_strategies_share_a_start_and_add_to_it(root):
    folder = root / "run"
    start = labels(folder / "start_random" / "select")
    assert len(start) == 2
    for chain in CHAINS:
        selected = folder / chain / "round_1" / "select"
        now = set(labels(selected))
        assert len(now) == 4
        assert now > set(start)
        split = json.loads((selected.parent / "train" / "split.json").read_text())
        assert set(split["labeled"]) == now
        assert not now & {*split["val"], *split["test"]}
        rows = images(selected)
        chosen = [row["name"] for row in rows if row["state"] == "chosen"]
        assert set(chosen) == now - set(start)
        assert [row["order"] for row in rows[: len(chosen)]] == ["1", "2"]
        assert {row["score"] != "" for row in rows} == {chain == "hybrid"}
        with Image.open(selected / "chosen.png") as sheet:
            assert sheet.size[0] > 100
    assert not (folder / "start_random" / "annotate").exists()


def test_the_report_has_a_row_for_each_round_of_each_strategy(root):
    folder = root / "run" / "report"
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    latest = [row for row in rows if (row["checkpoint"], row["part"]) == ("latest", "test")]
    assert [(row["entry"], row["round"], row["labeled"]) for row in latest] == [
        (chain, number, count) for chain in CHAINS for number, count in enumerate((2, 4))
    ]
    of_start = [row for row in latest if row["round"] == 0]
    assert of_start[0]["dataset_iou"] == of_start[1]["dataset_iou"]
    result = json.loads((root / "run" / "hybrid" / "round_1" / "train" / "result.json").read_text())
    of_val = [row for row in rows if row["part"] == "val" and row["entry"] == "hybrid"]
    assert [row["checkpoint"] for row in of_val] == ["latest", "best"] * 2
    assert of_val[-1]["dataset_iou"] == result["val_scores"]["best"]["dataset_iou"]
    minutes = [row["minutes"] for row in latest if row["entry"] == "hybrid"]
    assert minutes == sorted(minutes)
    # A study looks for pseudo-labels in every recipe.
    assert not [*pseudo_labels.of_recipe(root / "run", recipe(root).stages())]
    page = (folder / "report.html").read_text()
    assert "Area under the curve" in page
    assert "minus random" in page
    with (folder / "curve.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 4


def test_rounds_that_run_again_after_an_interruption_write_the_same_bits(root, monkeypatch):
    folder = root / "run"
    before = written(folder)
    train, calls = command.training.train, []

    def stopped(config, workdir):
        calls.append(workdir)
        if len(calls) == 1:
            raise Interrupted(15, 1)
        return train(config, workdir)

    monkeypatch.setattr(command.training, "train", stopped)
    with pytest.raises(Interrupted):
        run(root, recipe(root), again="hybrid/round_1/select")
    run(root, recipe(root))
    after = written(folder)
    assert after.keys() == before.keys()
    assert [name for name in before if before[name] != after[name]] == []
    # Nothing of the other strategy ran again.
    assert calls == [folder / "hybrid" / "round_1" / "train"] * 2


def test_a_person_annotates_what_each_round_chooses(root, tmp_path):
    shutil.copytree(root / "mine" / "images", tmp_path / "mine" / "images")
    shutil.copy(root / "mine" / "classes.yaml", tmp_path / "mine")
    config = lambda: recipe(  # noqa: E731
        tmp_path,
        annotation="files",
        start="typiclust",
        baselines=(),
        start_images=7,
        added=(2.0,),
        warm_start=True,
    )
    with pytest.raises(Waiting, match=r"chosen 7 images, .*\n") as asked:
        run(tmp_path, config())
    assert f"Put their masks into {tmp_path / 'mine' / 'masks'}" in str(asked.value)
    selected = tmp_path / "run" / "start_typiclust" / "select"
    first = labels(selected)
    masks = tmp_path / "mine" / "masks"

    def annotate(names):
        masks.mkdir(exist_ok=True)
        for index, name in enumerate(names):
            mask = np.zeros((48, 48), np.uint8)
            mask[8:20, 8:20] = 1 + index % 2
            Image.fromarray(mask).save(masks / f"{name}.png")

    annotate(first[:3])
    with pytest.raises(Waiting, match=r"4 of them have no mask yet"):
        run(tmp_path, config())
    annotate(first)
    with pytest.raises(Waiting, match=r"chosen 2 images") as asked:
        run(tmp_path, config())
    split = json.loads((tmp_path / "run/start_typiclust/annotate/split.json").read_text())
    known = {*split["labeled"], *split["val"], *split["test"]}
    assert known == set(first)
    assert all(split[part] for part in ("labeled", "val", "test"))
    second = tmp_path / "run" / "hybrid" / "round_1"
    new = set(labels(second / "select")) - set(split["labeled"])
    assert len(new) == 2
    assert not new & known
    proposed = {file.stem for file in (second / "select" / "proposals").iterdir()}
    assert proposed == new
    assert "Predicted masks to begin with" in str(asked.value)
    assert str(asked.value).startswith("dataset_iou on validation so far: ")
    annotate(sorted(new))
    run(tmp_path, config())
    of_round = json.loads((second / "train" / "split.json").read_text())
    assert (of_round["val"], of_round["test"]) == (split["val"], split["test"])
    assert set(of_round["labeled"]) == new | set(split["labeled"])
    stored = json.loads((second / "train" / "stage.json").read_text())
    assert stored["settings"]["network.pretrained"].endswith("start_typiclust/train")
    assert (tmp_path / "run" / "report" / "report.html").exists()


@pytest.mark.parametrize("name", ["neu_active", "crackforest_active", "folder_active"])
@pytest.mark.parametrize("argument", ["", "small", "medium", "small,uaps"])
def test_the_published_recipes_are_valid(name, argument, tmp_path):
    made = published.EVERY[name].get_config(argument)
    stages = stage.checked(made, tmp_path)
    folders = stage.folders(stages, tmp_path)
    trainings = [one.configure(folders) for one in stages if isinstance(one, stage.Training)]
    assert len(trainings) == (4 if name == "folder_active" else 18)
    assert len({training.train.steps for training in trainings}) == 1
    assert {training.method.name for training in trainings} == {
        "uaps" if "uaps" in argument else "supervised"
    }
    with pytest.raises(ConfigError, match="did you mean small"):
        published.EVERY[name].get_config("smal")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"added": (1.5,)}, "added = .* images are whole numbers"),
        ({"baselines": ("best",)}, "baselines = .* must be some of random, class_aware_random"),
        ({"baselines": ("random", "random")}, "baselines = .* each once"),
        ({"annotation": "files"}, "baselines = .* compare strategies where the masks are known"),
        ({"metric": "dataset_iuo"}, "metric = 'dataset_iuo': must be one of image_iou, "),
        ({"start_images": 5}, "are 7 images, and there are 6 to choose from"),
        ({"acquisition.uncertainty": "bald"}, "members = 'prediction': bald compares the members"),
        ({"acquisition.members": "checkpoints", "checkpoints": (0.9,)}, "they are the steps 2"),
        ({"unit": "hours", "cost.per_image": 0.0}, "cost.per_image = 0.0: with unit = 'hours' ev"),
        ({"base.data.labeled_count": 3}, "base.data.labeled_count = 3: the rounds choose"),
    ],
)
def test_what_cannot_run_is_refused_before_the_first_step(root, tmp_path, settings, message):
    config = recipe(root)
    for key, value in settings.items():
        stage.config_lib.assign(config, key, value)
    with pytest.raises(ConfigError, match=message):
        run(root, config, tmp_path.name)
    assert not list((root / tmp_path.name).glob("*/*"))


def round_stage(config, name):
    """A stage of the recipe by its name."""
    return {one.name: one for one in config.stages()}[name]


def test_only_a_choice_that_compares_checkpoints_has_further_ones(root):
    config = recipe(root, baselines=("random", "mean_entropy"), checkpoints=(0.5,))
    config.acquisition.members = "checkpoints"
    compared = {
        name: round_stage(config, f"{name}/round_1/select").options["steps"]
        for name in ("hybrid", "random", "mean_entropy")
    }
    assert compared == {"hybrid": (1,), "random": (), "mean_entropy": ()}
    folders = stage.folders(config.stages(), root)
    keep_at = {
        name: round_stage(config, f"{name}/train").configure(folders).checkpoint.keep_at
        for name in ("start_random", "hybrid/round_1", "mean_entropy/round_1")
    }
    assert [1 in steps for steps in keep_at.values()] == [True, True, False]


def test_options_hold_what_a_choice_depends_on_and_no_more(root):
    def options(name, **settings):
        config = recipe(root)
        for key, value in settings.items():
            stage.config_lib.assign(config, key.replace("__", "."), value)
        return stage._plain(round_stage(config, name).options)

    selected, hours = "hybrid/round_1/select", {"unit": "hours", "added": (1.0,)}
    dear = {"cost__per_image": 9.0}
    assert options(selected) == options(selected, **dear)
    assert options(selected, **hours) != options(selected, **hours, **dear)
    assert options("report") != options("report", **dear)
    start, texture = "start_typiclust/select", {"start": "typiclust"}
    assert options(start, **texture) != options(start, **texture, base__data__height=32)
    own = {"annotation": "files", "baselines": ()}
    name = "start_random/annotate"
    assert options(name, **own) != options(name, **own, base__data__shares=(0.5, 0.25, 0.25))


def test_strategies_with_another_start_are_named_in_the_report(root):
    assert "Other start" not in "".join(round_stage(recipe(root), "report").options["notes"])
    config = recipe(root, start="typiclust", baselines=("random",))
    (note,) = round_stage(config, "report").options["notes"]
    assert note.startswith("Other start: random (random); hybrid starts with typiclust.")


def test_dear_images_are_skipped_and_an_exhausted_pool_chooses_none():
    own = folder_active.get_config("small").acquisition
    own.selection, own.uncertainty = "highest", "entropy"
    scores, minutes = np.array([5.0, 4.0, 3.0, 2.0]), np.array([50.0, 2.0, 50.0, 1.0])
    known = Known(scores, None, None, minutes, [])
    chosen = [acquire.choose_for_minutes(own, known, m, (0, 1), []) for m in (0.5, 1.0, 3.0, 60.0)]
    assert chosen == [[], [3], [1], [0, 1]]
    assert acquire.choose_for_minutes(own, known, 90.0, (0, 1), [0, 1, 2, 3]) == []


def test_hours_are_spent_by_the_cost_of_the_predicted_defects(root, monkeypatch):
    def stopped(config, workdir):
        raise Interrupted(15, 1)

    monkeypatch.setattr(command.training, "train", stopped)
    selected = root / "run" / "hybrid" / "round_1" / "select"
    free = [float(row["minutes"]) for row in images(selected) if row["state"] != "annotated"]
    budget = 0.6 * sum(free)
    with pytest.raises(Interrupted):
        run(root, recipe(root, unit="hours", added=(budget / 60,), baselines=()))
    rows = [row for row in images(selected) if row["state"] != "annotated"]
    minutes = {row["name"]: float(row["minutes"]) for row in rows}
    price = sum(minutes.values()) / len(minutes)
    assert (selected.parent / "select.previous-1").is_dir()
    chosen = [row["name"] for row in rows if row["state"] == "chosen"]
    spent = sum(minutes[name] for name in chosen)
    assert 0 < len(chosen) < len(rows)
    assert spent <= budget
    assert len(chosen) <= budget / price
    summary = json.loads((selected / "summary.json").read_text())
    assert summary["spent_minutes"] == pytest.approx(spent)
    start = json.loads((root / "run/start_random/select/summary.json").read_text())
    assert start["work"][0] == 2
    assert summary["work"][0] == 2 + len(chosen)
    assert "spent_minutes" not in start
