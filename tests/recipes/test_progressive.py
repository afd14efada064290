"""ST++ on a user's folder: killed and resumed, its files are those of an uninterrupted run."""

import csv
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests import crashes, published
from tests.commands import mine
from tests.recipes import of_user
from uaps_jax.commands import opening
from uaps_jax.commands import recipe as recipe_command
from uaps_jax.commands.request import Request
from uaps_jax.config import ConfigError
from uaps_jax.data import protocols
from uaps_jax.recipes import stage as stage_lib
from uaps_jax.recipes.stage import Training
from uaps_jax.training import checkpoints

LAST = {"teacher": 6, "student_1": 4, "student_2": 3}
KILLS = ("teacher/checkpoints:4", "targets/easy/mask:2", "student_2/checkpoints:2")


def run(root, name, kill_at=""):
    environment = crashes.environment(root) | ({"KILL_AT": kill_at} if kill_at else {})
    file = crashes.PROJECT / "tests" / "recipes" / "of_user.py"
    return subprocess.run(
        [sys.executable, "run.py", f"--config={file}:{root}", f"--workdir={root / name}"],
        cwd=crashes.PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A user's folder, and the recipe in `whole`, and in `killed`, where it was killed thrice."""
    root = tmp_path_factory.mktemp("stpp")
    mine.write_folder(root / "mine")
    done = run(root, "whole")
    assert done.returncode == 0, done.stderr[-3000:]
    for kill_at in KILLS:
        ended = run(root, "killed", kill_at)
        assert ended.returncode == -signal.SIGKILL, ended.stderr[-3000:]
    done = run(root, "killed")
    assert done.returncode == 0, done.stderr[-3000:]
    return root


def written(folder):
    """The files of the passes, without the records, which hold times."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for name in ("rank", "targets")
        for file in (folder / name).rglob("*")
        if file.is_file() and file.name != "stage.json"
    }


def test_a_killed_recipe_gives_the_bits_of_an_uninterrupted_one(root):
    whole, killed = (root / name for name in ("whole", "killed"))
    assert written(whole) == written(killed)
    for stage, step in LAST.items():
        one, other = (
            crashes.arrays_of(folder / stage / "checkpoints" / str(step))
            for folder in (whole, killed)
        )
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
    assert not list(killed.rglob("*.previous-*"))


def test_the_files_are_what_the_tools_read(root):
    folder = root / "whole"
    config = of_user.get_config(str(root)).base
    _, dataset = opening.open_dataset(config)
    unlabeled = protocols.make_split(dataset, config.data)["unlabeled"]
    hidden = set(unlabeled) & dataset.masked
    assert hidden
    assert set(unlabeled) - hidden
    assert {2, 4, 6} <= set(checkpoints.saved_steps(folder / "teacher"))

    with (folder / "rank" / "ranking.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert sorted(row["name"] for row in rows) == unlabeled
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert scores == [float(row["stability"]) for row in rows]
    easy = len(unlabeled) // 2
    assert [row["part"] for row in rows] == ["easy"] * easy + ["hard"] * (len(rows) - easy)
    with Image.open(folder / "rank" / "best_and_worst.png") as sheet:
        assert sheet.width > 100
    summary = json.loads((folder / "rank" / "summary.json").read_text())
    kinds = summary["kinds"]
    assert sum(kinds["easy"].values()) == easy

    for part in ("easy", "hard"):
        names = {row["name"] for row in rows if row["part"] == part}
        masks = folder / "targets" / part / "mask"
        assert {f.stem for f in masks.iterdir()} == names
        for file in masks.iterdir():
            with Image.open(file) as mask:
                assert (mask.mode, mask.size) == ("P", (48, 48))
                assert np.asarray(mask).max() < 3
        quality = json.loads((folder / "targets" / part / "quality.json").read_text())
        known = len(names & hidden)
        assert (quality["images"] if known else quality) == (known or None)
    for student, expected in (("student_1", easy), ("student_2", len(unlabeled))):
        split = json.loads((folder / student / "split.json").read_text())
        assert len(split["unlabeled"]) == expected


def test_the_command_lists_the_stages_and_reports_a_changed_mask(root, capsys):
    recipe = of_user.get_config(str(root))
    request = Request(config=recipe, workdir=root / "whole", checkpoint="best", input=None)
    listed = Request(
        config=of_user.get_config(str(root)),
        workdir=root / "whole",
        checkpoint="best",
        input=None,
        lists=True,
    )
    recipe_command.recipe(listed)
    lines = capsys.readouterr().out.splitlines()
    names = ["teacher", "rank", "label_easy", "student_1", "label_hard", "student_2"]
    assert [line.split()[0] for line in lines[1:]] == names
    assert all("  done  " in line for line in lines[1:])
    recipe_command.recipe(request)  # there is nothing to do
    mask = next((root / "whole" / "targets" / "hard" / "mask").iterdir())
    before = mask.read_bytes()
    mask.write_bytes(before + b"\0")
    recipe_command.recipe(listed)
    assert "label_hard  pass      done (1 files changed by hand)" in capsys.readouterr().out
    with pytest.raises(ConfigError, match=rf"stage label_hard, .*: mask/{mask.name}"):
        recipe_command.recipe(request)
    mask.write_bytes(before)


def test_one_student_learns_all_pseudo_labels(tmp_path):
    recipe = of_user.get_config(str(tmp_path))
    recipe.student_steps = (5,)
    stages = stage_lib.checked(recipe, tmp_path)
    assert [stage.name for stage in stages] == ["teacher", "label", "student"]
    assert stages[2].configure({"label": tmp_path}).train.steps == 5
    assert stages[0].configure({}).checkpoint.keep_at == ()
    recipe = of_user.get_config(str(tmp_path))
    recipe.student_steps, recipe.easy = (1, 2, 3), 1.0
    with pytest.raises(ConfigError, match=r"(?s)student_steps = .*one or two.*easy = 1\.0: must"):
        stage_lib.checked(recipe, tmp_path)


@pytest.mark.parametrize("name", published.RECIPES)
@pytest.mark.parametrize("variant", ["", "small", "medium"])
def test_the_published_recipes_are_valid(name, variant, tmp_path):
    recipe = published.EVERY[name].get_config(variant)
    stages = stage_lib.checked(recipe, tmp_path)
    folders = stage_lib.folders(stages, tmp_path)
    of_teacher, of_first, of_second = (
        stage.configure(folders) for stage in stages if isinstance(stage, Training)
    )
    assert of_teacher.method.name == "supervised"
    assert of_teacher.method.loss == "cross_entropy"
    assert of_first.data.targets.folders == (str(tmp_path / "targets/easy"),)
    assert len(of_second.data.targets.folders) == 2
    steps = [config.train.steps for config in (of_teacher, of_first, of_second)]
    assert steps == sorted(steps)
    assert len(of_teacher.checkpoint.keep_at) == 3
    if name.endswith("_stpp"):
        assert of_second.method.name == "self_training"
        assert of_second.views.unlabeled.cutout == 0.5
        assert of_second.views.unlabeled.hflip == of_second.views.labeled.hflip
        assert of_teacher.views.unlabeled.cutout == 0
