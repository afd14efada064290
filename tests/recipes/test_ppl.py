"""PPL's recipe on a user's folder."""

import csv
import json

import pytest

from tests.commands import mine
from tests.recipes import of_user
from uaps_jax.commands import recipe as recipe_command
from uaps_jax.commands.request import Request
from uaps_jax.configs.parts import progressive
from uaps_jax.recipes import stage as stage_lib
from uaps_jax.recipes.stage import Training
from uaps_jax.training import checkpoints


def test_all_stages_run_and_the_score_is_the_product_of_its_terms(tmp_path):
    mine.write_folder(tmp_path / "mine")
    recipe = of_user.of(progressive.ppl, str(tmp_path), (4, 2, 2))
    recipe.base.train.batch_labeled = recipe.base.train.batch_unlabeled = 4
    folder = tmp_path / "run"
    recipe_command.recipe(Request(config=recipe, workdir=folder, checkpoint="best", input=None))
    with (folder / "rank" / "ranking.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    for row in rows:
        stability, certainty = (float(row[name]) for name in ("stability", "certainty"))
        assert 0 <= stability <= 1
        assert 0 < certainty < 1
        assert float(row["score"]) == pytest.approx(stability * certainty)
    assert len({row["certainty"] for row in rows}) == len(rows)
    for student, masks in (("student_1", len(rows) // 2), ("student_2", len(rows))):
        split = json.loads((folder / student / "split.json").read_text())
        assert len(split["unlabeled"]) == masks
        config = checkpoints.read_config(
            folder / student, checkpoints.saved_steps(folder / student)[-1]
        )
        assert (config.method.name, config.method.form) == ("ppl", "repaired")
        lines = (folder / student / "metrics.jsonl").read_text().splitlines()
        logged = [json.loads(line) for line in lines if "certainty" in line]
        assert logged
        assert all(0 < line["train/certainty"] < 1 for line in logged)


@pytest.mark.parametrize("make", [progressive.stpp, progressive.ppl])
def test_all_stages_have_batches_of_the_same_size(make, tmp_path):
    recipe = of_user.of(make, str(tmp_path), (4, 2, 2))
    recipe.base.data.manual_dir = ""
    stages = stage_lib.checked(recipe, tmp_path)
    folders = stage_lib.folders(stages, tmp_path)
    teacher, first, second = (
        stage.configure(folders).train for stage in stages if isinstance(stage, Training)
    )
    assert teacher.batch_labeled == 4
    for student in (first, second):
        assert (student.batch_labeled, student.batch_unlabeled) == (2, 2)
