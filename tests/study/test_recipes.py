"""Recipes as entries of a study."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from tests import command_lines
from tests.commands import mine
from uaps_jax import files
from uaps_jax.command_line import flags as flags_lib
from uaps_jax.config import ConfigError
from uaps_jax.configs.studies import base
from uaps_jax.data import source
from uaps_jax.recipes import label, run_recipe, work
from uaps_jax.recipes.stage import Pass, Recipe, Training
from uaps_jax.study import cells as cells_lib
from uaps_jax.study import outcome, progress, pseudo_labels, runner
from uaps_jax.study.cells import Cell
from uaps_jax.study.grid import Bars, Block, Entry, all_rows

STAGES = {"one stage": "student_1", "teacher": "teacher"}


def study(**changes):
    entries = {
        "supervised": Entry(method="supervised", overrides={"data.protocol": "ppl"}),
        "ST++": Entry(
            config="configs/{dataset}_stpp.py",
            overrides={"base.train.log_every": 3, "easy": 0.4},
            stages=STAGES,
        ),
    }
    grid = base.study("a study", entries | changes.pop("entries", {}))
    grid.variant, grid.manual_dir = "small", "downloads"
    grid.overrides = {"train.eval_every": 40, "data.labeled_count": 137, "data.labeled_list": ""}
    grid.overrides |= {"data.name": "mtiles/all"}
    grid.blocks = (Block(entries=("ST++",), datasets=("mtiles",), seeds=(0, 7)),)
    grid.baseline = "teacher"
    for name, value in changes.items():
        setattr(grid, name, value)
    return grid


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")  # of ml_collections
def test_a_recipe_is_one_cell_with_a_row_for_each_of_its_stages():
    grid = study()
    assert all_rows(grid) == ("supervised", "one stage", "teacher")
    first, second = cells_lib.cells(grid)
    assert dict(second.rows) == STAGES
    assert second.folder == Path("runs/mtiles/ST__/count_137/seed_7")
    assert (second.config.train.seed, second.config.data.manual_dir) == (7, "downloads")
    assert first.config.train.eval_every == 40
    # The command of the process gives the same recipe.
    command_lines.parse(["uaps-jax", *cells_lib.flags(second)])
    assert flags_lib.CONFIG.value == second.recipe
    assert (second.recipe.easy, second.recipe.base.train.log_every) == (0.4, 3)


def test_without_stages_the_row_is_that_of_the_last_training():
    entry = Entry(config="configs/{dataset}_stpp.py")
    grid = study(entries={"ST++": entry}, baseline="supervised")
    grid.figures = (Bars(title="a", dataset="mtiles", budget=137, entries=("ST++",)),)
    assert dict(cells_lib.cells(grid)[0].rows) == {"ST++": "student_2"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"entries": {"ST++": Entry(config="configs/mtiles_stpp.py", stages={"a": "rank"})}},
            "the row 'a' is of the training 'rank'; choose one of teacher, student_1, student_2",
        ),
        (
            {"entries": {"ST++": Entry(method="uaps", stages={"a": "teacher"})}},
            "only an entry with the configuration of a recipe has stages",
        ),
        ({"entries": {"teacher": Entry(method="uaps")}}, "2 entries have the row 'teacher'"),
        (
            {"entries": {"ST++": Entry(config="configs/mtiles_stpp.py", overrides={"esy": 1})}},
            "esy.*easy",
        ),
        ({"baseline": "ST++"}, r"must be one of supervised, one stage, teacher"),
        (
            {
                "blocks": (
                    Block(entries=("ST++", "supervised"), datasets=("mtiles",)),
                    Block(entries=("one stage",), datasets=("mtiles",)),
                )
            },
            "there is no entry 'one stage'; choose one of supervised, ST",
        ),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said_before_it_runs(changes, message):
    if "entries" in changes and changes["entries"].get("ST++") and "baseline" not in changes:
        changes = changes | {"baseline": "supervised"}
    with pytest.raises(ConfigError, match=message):
        cells_lib.cells(study(**changes))


@dataclasses.dataclass(slots=True, kw_only=True)
class Two(Recipe):
    """Two trainings with a labeling between them, which finds a quality by the seed."""

    def stages(self):
        def write(place):
            quality = {"dataset_iou": 50.0 + self.base.train.seed, "images": 4}
            quality |= {"dataset_iou_foreground": None, "image_iou": 30.0}
            files.write_text(place.folder / label.QUALITY, json.dumps(quality))

        def configure(steps):
            train = dataclasses.replace(self.base.train, steps=steps)
            return dataclasses.replace(self.base, train=train)

        options = {"model": "first", "part": ""}
        return [
            Training(name="first", configure=lambda _: configure(10)),
            Pass(name="l", folder="a/l", inputs=("first",), options=options, write=write),
            Training(name="second", inputs=("l",), configure=lambda _: configure(20)),
        ]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("of_user") / "mine"
    mine.write_folder(root)
    return root, source.open_dataset(mine.settings(root).data)


def cell_of(root, seed):
    settings = mine.settings(root)
    settings.train.seed = seed
    return Cell(
        dataset="folder",
        entry="two",
        budget="labeled_count 3",
        draw=0,
        seed=seed,
        folder=Path(f"runs/seed_{seed}"),
        file="",
        overrides={},
        config=settings,
        recipe=Two(base=settings),
        rows={"early": "first", "late": "second"},
    )


def train(config, folder):
    scores = {which: {"image_iou": config.train.steps} for which in ("latest", "best")}
    result = {"scores": scores, "other_predictors": {}, "parameters": 1}
    files.write_text(folder / "result.json", json.dumps(result))


def test_the_rows_of_a_recipe_are_its_finished_trainings(dataset, tmp_path):
    root, opened = dataset
    outcomes = []
    for seed in (0, 2):
        cell = cell_of(root, seed)
        _, data = run_recipe.split_of(cell.recipe, opened)
        assert progress.line(cell, tmp_path).endswith("no stage yet")
        assert outcome.finished(cell, tmp_path, data) is None
        run_recipe.run_recipe(
            cell.recipe, tmp_path / cell.folder, opened, work.in_this_process(train)
        )
        assert progress.line(cell, tmp_path) == f"{cell.folder}: stage 3 of 3, second: no step yet"
        outcomes += outcome.finished(cell, tmp_path, data)
        assert outcome.finished(cell, tmp_path, "other data") is None
    first = outcomes[1]
    assert (first.cell.entry, first.cell.folder) == ("late", Path("runs/seed_0/second"))
    assert first.cell.config.train.steps == first.result["scores"]["best"]["image_iou"] == 20
    assert [o.cell.entry for o in outcomes] == ["early", "late"] * 2

    name = "two on folder, labeled_count 3"
    row = (name, "a/l", "all, by first", "4", "2", "51.00 ± 1.41", "n/a", "30.00 ± 0.00")
    assert pseudo_labels.rows(outcomes, tmp_path) == [row]

    of_recipe = (sys.executable, "-c", "import sys; raise SystemExit('error: ' + sys.argv[1])")
    given = {"workers": 1, "per_gpu": 1, "command": (), "on_finish": lambda outcomes: None}
    [failed] = runner.run({cell_of(root, 3): data}, tmp_path, of_recipe=of_recipe, **given)
    reason = f"exit status 1: error: --reuse={tmp_path} (complete log: "
    assert failed.reason.startswith(reason)

    other = cell_of(root, 0)
    other.recipe.base.optimizer.learning_rate *= 2
    assert outcome.finished(other, tmp_path, data) is None
