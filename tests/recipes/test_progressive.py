"""PPL on a user's folder: killed and resumed, its files are those of an uninterrupted run."""

import csv
import json
import signal
import subprocess
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import uaps_jax
from tests import crashes, published
from tests.commands import mine
from tests.recipes import of_user
from uaps_jax import inference
from uaps_jax.commands import opening
from uaps_jax.commands import recipe as recipe_command
from uaps_jax.commands.request import Request
from uaps_jax.config import ConfigError
from uaps_jax.configs.parts import progressive, refinement
from uaps_jax.data import protocols, source
from uaps_jax.evaluation import reliability
from uaps_jax.recipes import stage as stage_lib
from uaps_jax.recipes.label import label
from uaps_jax.recipes.progressive import Progressive
from uaps_jax.recipes.rank import rank
from uaps_jax.recipes.stage import Place, Training
from uaps_jax.training import checkpoints

LAST = {"teacher": 4, "student_1": 2, "student_2": 4}
KILLS = (
    "teacher/checkpoints:2",
    "rank/ranking.csv:1",
    "targets/easy/mask:3",
    "student_2/checkpoints:2",
)


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
    """A user's folder, and the recipe in `whole`, and in `killed`, which was killed four times."""
    root = tmp_path_factory.mktemp("ppl")
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
        for passes in ("rank", "targets")
        for file in (folder / passes).rglob("*")
        if file.is_file() and file.name != "stage.json"
    }


def test_a_killed_recipe_gives_the_bits_of_an_uninterrupted_one(root):
    whole, killed = (root / name for name in ("whole", "killed"))
    assert written(whole) == written(killed)
    assert {"rank/ranking.csv", "targets/hard/quality.json"} <= written(whole).keys()
    for stage, step in LAST.items():
        one, other = (
            crashes.arrays_of(folder / stage / "checkpoints" / str(step))
            for folder in (whole, killed)
        )
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
    assert not list(killed.rglob("*.previous-*"))


@pytest.fixture(scope="module")
def opened(root):
    """The dataset, its split, and the unlabeled images that have a mask."""
    config = of_user.get_config(str(root)).base
    _, dataset = opening.open_dataset(config)
    split = protocols.make_split(dataset, config.data)
    hidden = set(split["unlabeled"]) & dataset.masked
    assert hidden
    assert set(split["unlabeled"]) - hidden
    return dataset, split, hidden


def names_of_masks(folder):
    """The names of the pseudo-labels in a folder, whose files are checked."""
    names = []
    for file in (folder / "mask").iterdir():
        names.append(file.stem)
        with Image.open(file) as mask:
            assert (mask.mode, mask.size) == ("P", (48, 48))
            assert np.asarray(mask).max() < 3
    return sorted(names)


def test_pseudo_labels_are_masks_that_the_students_learn(root, opened):
    _, split, hidden = opened
    folder = root / "whole"
    easy, hard = (names_of_masks(folder / "targets" / part) for part in ("easy", "hard"))
    assert len(easy) == len(split["unlabeled"]) // 2
    assert sorted(easy + hard) == split["unlabeled"]
    for part, names in (("easy", easy), ("hard", hard)):
        quality = json.loads((folder / "targets" / part / "quality.json").read_text())
        known = hidden & set(names)
        assert (quality["images"] if known else quality) == (len(known) or None)
    for student, names in (("student_1", easy), ("student_2", split["unlabeled"])):
        of_student = json.loads((folder / student / "split.json").read_text())
        assert of_student["unlabeled"] == names
        assert len(of_student["targets"]) == 16


def test_without_a_ranking_all_unlabeled_images_are_labeled(root, opened, tmp_path):
    dataset, split, hidden = opened
    stage = of_user.label_all("all")
    inputs = {"teacher": root / "whole" / "teacher"}
    stage.write(Place(folder=tmp_path, inputs=inputs, dataset=dataset, split=split))
    assert names_of_masks(tmp_path) == split["unlabeled"]
    assert json.loads((tmp_path / "quality.json").read_text())["images"] == len(hidden)


def test_the_score_is_the_product_of_its_terms_and_the_students_are_those_of_ppl(root):
    folder = root / "whole"
    with (folder / "rank" / "ranking.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    for row in rows:
        stability, certainty = (float(row[name]) for name in ("stability", "certainty"))
        assert 0 <= stability <= 1
        assert 0 < certainty < 1
        assert float(row["score"]) == pytest.approx(stability * certainty)
    assert len({row["certainty"] for row in rows}) == len(rows)
    for student in ("student_1", "student_2"):
        config = checkpoints.read_config(folder / student, LAST[student])
        assert (config.method.name, config.method.form) == ("ppl", "repaired")
        lines = (folder / student / "metrics.jsonl").read_text().splitlines()
        logged = [json.loads(line) for line in lines if "certainty" in line]
        assert logged
        assert all(0 < line["train/certainty"] < 1 for line in logged)


def test_a_ranking_is_a_table_a_summary_and_a_sheet(root, opened, tmp_path):
    dataset, split, hidden = opened
    assert checkpoints.saved_steps(root / "whole" / "teacher") == [1, 3, 4]

    def first_pixel(probabilities):
        assert probabilities.shape == (2, 4, 16, 16, 3)
        return {"first": probabilities[-1, :, 0, 0, 0], "half": 0.5 * jnp.ones(4)}

    stage = rank(
        name="rank", model="teacher", steps=(3, 4), terms=first_pixel, share=0.5, balanced=False
    )
    assert stage.options["terms"] == "first_pixel"
    inputs = {"teacher": root / "whole" / "teacher"}
    stage.write(Place(folder=tmp_path, inputs=inputs, dataset=dataset, split=split))
    with (tmp_path / "ranking.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["name"] for row in rows) == split["unlabeled"]
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert scores == [float(row["first"]) * float(row["half"]) for row in rows]
    easy = len(rows) // 2
    assert [row["part"] for row in rows] == ["easy"] * easy + ["hard"] * (len(rows) - easy)
    model = uaps_jax.load(root / "whole" / "teacher", 4)
    pool = source.read(dataset, [row["name"] for row in rows[:4]], model.config.data)
    predictor = model.method.predictor("")
    expected = jax.jit(lambda v, x: predictor(v, x))(model.variables, pool.images)[:, 0, 0, 0]
    np.testing.assert_allclose([float(row["first"]) for row in rows[:4]], expected, atol=1e-6)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert sum(summary["kinds"]["easy"].values()) == easy
    for part, found in summary["quality"].items():
        known = hidden & {row["name"] for row in rows if row["part"] == part}
        assert (found["images"] if known else found) == (len(known) or None)
    with Image.open(tmp_path / "best_and_worst.png") as sheet:
        assert sheet.width > 100


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
    mask = next((root / "whole" / "targets" / "easy" / "mask").iterdir())
    before = mask.read_bytes()
    mask.write_bytes(before + b"\0")
    recipe_command.recipe(listed)
    assert "label_easy  pass      done (1 files changed by hand)" in capsys.readouterr().out
    with pytest.raises(ConfigError, match=rf"stage label_easy, .*: mask/{mask.name}"):
        recipe_command.recipe(request)
    mask.write_bytes(before)


def test_one_student_learns_all_pseudo_labels_and_two_in_turn(tmp_path):
    recipe = of_user.of(progressive.stpp, str(tmp_path), (4, 2))
    stages = stage_lib.checked(recipe, tmp_path)
    assert [stage.name for stage in stages] == ["teacher", "label", "student"]
    assert stages[2].configure({"label": tmp_path}).train.steps == 2
    # Those of a recipe with two students, which can reuse the teacher.
    assert stages[0].configure({}).checkpoint.keep_at == (1, 3, 4)
    recipe = of_user.of(progressive.stpp, str(tmp_path), (4, 2))
    recipe.student_steps = (5, 6)
    names = [stage.name for stage in stage_lib.checked(recipe, tmp_path)]
    assert names == ["teacher", "rank", "label_easy", "student_1", "label_hard", "student_2"]
    recipe = of_user.of(progressive.stpp, str(tmp_path), (4, 2))
    recipe.student_steps, recipe.easy = (1, 2, 3), 1.0
    with pytest.raises(ConfigError, match=r"(?s)student_steps = .*one or two.*easy = 1\.0: must"):
        stage_lib.checked(recipe, tmp_path)


def test_rules_across_settings_are_reported_under_the_keys_of_the_recipe(tmp_path):
    recipe = of_user.of(progressive.stpp, str(tmp_path), (4, 2, 2))
    base = recipe.base
    base.train.minutes, base.checkpoint.keep_at, base.data.fit = 5.0, (2,), "crop"
    base.data.scale, recipe.checkpoints = 0.5, (0.1, 0.5)
    with pytest.raises(ConfigError) as caught:
        stage_lib.checked(recipe, tmp_path)
    lines = str(caught.value).splitlines()[1:]
    for line, begin in zip(
        lines,
        (
            "base.train.minutes = 5.0: a recipe needs fixed steps; set base.train.steps and",
            "base.data.fit = 'crop': ",
            "base.data.scale = 0.5: ",
            "base.checkpoint.keep_at = (2,): ",
            "checkpoints = (0.1, 0.5): with base.train.steps = 4 these and the last one are the "
            "steps 0, 2, 4, ",
        ),
        strict=True,
    ):
        assert line.strip().startswith(begin)


def test_a_chosen_setting_of_the_ranking_is_refused_without_one(tmp_path):
    one = of_user.of(progressive.stpp, str(tmp_path), (4, 2))
    chosen = ("base.train.steps", "easy", "balanced")
    request = Request(config=one, workdir=tmp_path, checkpoint="best", input=None, overrides=chosen)
    with pytest.raises(ConfigError) as caught:
        recipe_command.recipe(request)
    assert str(caught.value).splitlines()[1:] == [
        f"  {setting}: has no effect with one student, student_steps = (2,)"
        for setting in ("easy = 0.5", "balanced = False")
    ]
    two = of_user.of(progressive.stpp, str(tmp_path), (4, 2, 2))
    stage_lib.require_used(two, chosen)


@pytest.mark.parametrize(("key", "value"), [("fit", "crop"), ("scale", 0.5)])
def test_passes_refuse_images_without_pseudo_labels_of_their_size(
    key, value, tmp_path, monkeypatch
):
    config = of_user.get_config(str(tmp_path)).base
    setattr(config.data, key, value)
    monkeypatch.setattr(inference, "load", lambda *_: types.SimpleNamespace(config=config))
    place = Place(folder=tmp_path, inputs={"teacher": tmp_path}, dataset=None, split={})
    ranking = rank(
        name="rank",
        model="teacher",
        steps=(2, 4),
        terms=reliability.sir_terms,
        share=0.5,
        balanced=False,
    )
    labeling = label(
        name="label",
        folder="all",
        model="teacher",
        ranking_of="",
        part="",
        scales=(1.0,),
        flip=False,
        crf=refinement.no_crf(),
    )
    for stage in (ranking, labeling):
        with pytest.raises(ConfigError, match=rf"base\.data\.{key} = "):
            stage.write(place)


@pytest.mark.parametrize(
    "name",
    [n for n in published.RECIPES if isinstance(published.EVERY[n].get_config(), Progressive)],
)
@pytest.mark.parametrize("variant", ["", "small", "medium"])
def test_the_published_recipes_are_valid(name, variant, tmp_path):
    recipe = published.EVERY[name].get_config(variant)
    stages = stage_lib.checked(recipe, tmp_path)
    folders = stage_lib.folders(stages, tmp_path)
    of_teacher, of_first, of_second = (
        stage.configure(folders) for stage in stages if isinstance(stage, Training)
    )
    assert of_teacher.method.name == "supervised"
    is_published = not variant and not name.startswith("folder")
    loss = "cross_entropy" if is_published else "cross_entropy_and_dice"
    assert {one.method.loss for one in (of_teacher, of_first, of_second)} == {loss}
    shares = {one.data.targets.defect_share for one in (of_first, of_second)}
    assert shares == {of_teacher.data.defect_share}
    assert of_teacher.data.targets.defect_share == 0
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
