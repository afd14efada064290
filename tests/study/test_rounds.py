"""A study of rounds: its recipes, checked and run as processes, and its report."""

import csv
import json
import sys

import pytest

from tests.reports.test_learning_curves import ENTRIES, rows
from uaps_jax import config as config_lib
from uaps_jax.config import ConfigError
from uaps_jax.configs.studies import crackforest_active, neu_active
from uaps_jax.recipes.stage import Training
from uaps_jax.study import rounds, run_rounds
from uaps_jax.study.kind import UnfinishedStudy

# A process that writes the rows of its recipe, as the recipe would, and fails for seed 1.
FAKE = """
import json, pathlib, sys
flags = dict(flag.lstrip("-").partition("=")[::2] for flag in sys.argv[1:])
folder = pathlib.Path(flags["workdir"]) / "report"
seed = int(flags["config.base.train.seed"])
if seed == 1:
    sys.exit("error: no paper is left")
folder.mkdir(parents=True)
rows = json.loads(pathlib.Path(__file__).with_name("rows.json").read_text())
own = [row for row in rows if row["seed"] == seed]
lines = [json.dumps(row | {"checkpoint": c}) for row in own for c in ("latest", "best")]
(folder / "rows.jsonl").write_text("\\n".join(lines))
"""


@pytest.mark.parametrize("module", [neu_active, crackforest_active])
@pytest.mark.parametrize("method", ["", "recommended"])
def test_the_published_studies_can_run(module, method, tmp_path):
    study = module.get_config(method)
    runs = rounds.runs(study, tmp_path)
    assert [run.seed for run in runs] == list(study.seeds)
    for run in runs:
        base = run.recipe.base
        assert (base.train.seed, base.data.split_seed) == (run.seed, run.seed)
        assert base.method.name == ("fixmatch" if method else "supervised")
        assert f"--config.base.train.seed={run.seed}" in run.flags
    stages = [stage for stage in runs[0].recipe.stages() if isinstance(stage, Training)]
    # Five budgets of four strategies, three of which share their start; or two of two that do.
    assert len(stages) == (2 + 1 if method else 4 * 4 + 2)
    others = [] if method else ["class_aware_random", "mean_entropy"]
    assert [chain.name for chain in runs[0].recipe.chains] == ["hybrid", "random", *others]


def test_further_seeds_have_the_default_and_random_images(tmp_path):
    study = neu_active.get_config("further")
    runs = rounds.runs(study, tmp_path)
    assert not {run.seed for run in runs} & {*neu_active.get_config().seeds}
    assert [chain.name for chain in runs[0].recipe.chains] == ["hybrid", "random"]
    stages = [stage for stage in runs[0].recipe.stages() if isinstance(stage, Training)]
    assert len(stages) == 2 * 4 + 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": "configs/neu_supervised.py"}, "must be a recipe of rounds"),
        ({"config": "configs/folder_active.py"}, "whose annotation is simulated"),
        ({"seeds": (0, 0)}, "must be different seeds"),
        ({"overrides": {"base.train.step": 3}}, "Did you mean --config.base.train.steps"),
        ({"overrides": {"added": (0.5,)}}, "images are whole numbers"),
    ],
)
def test_a_wrong_study_is_refused(changes, message, tmp_path):
    study = neu_active.get_config()
    for key, value in changes.items():
        config_lib.assign(study, key, value)
    with pytest.raises(ConfigError, match=message):
        rounds.runs(study, tmp_path)


def test_the_report_has_the_finished_seeds_and_names_the_others(tmp_path, monkeypatch):
    study = neu_active.get_config()
    study.seeds = (0, 1, 2)
    script = tmp_path / "fake.py"
    script.write_text(FAKE)
    (tmp_path / "rows.json").write_text(json.dumps(rows()))
    opened = []
    monkeypatch.setattr(run_rounds.source, "open_dataset", lambda data: opened.append(data))
    monkeypatch.setattr(rounds.Active, "split", lambda recipe, dataset: {})
    directory = tmp_path / "study"
    with pytest.raises(UnfinishedStudy, match=r"1 of 3 recipes.*\n  seed 1: .*no paper is left"):
        run_rounds.run_rounds(study, directory, (sys.executable, str(script)))
    assert opened[0].protocol == "grouped"
    lines = (directory / "results.jsonl").read_text().splitlines()
    assert {json.loads(line)["seed"] for line in lines} == {0, 2}
    assert {json.loads(line)["checkpoint"] for line in lines} == {"latest", "best"}
    with (directory / "results.csv").open(newline="") as file:
        shown = list(csv.DictReader(file))
    assert {row["entry"] for row in shown} == set(ENTRIES)
    assert {(row["checkpoint"], row["part"]) for row in shown} == {("latest", "test")}
    page = (directory / "report.html").read_text()
    assert "no paper is left" in page
    assert "seeds 0, 2" in page
    assert (directory / "curve.png").exists()
