"""The contents of a study, which are checked before any training starts."""

import importlib
from pathlib import Path

import pytest

from uaps_jax import config as config_lib
from uaps_jax.commands import study as commands_study
from uaps_jax.commands.request import Request
from uaps_jax.config import ConfigError
from uaps_jax.configs import first, neu_uaps
from uaps_jax.configs.studies import (
    base,
    folder,
    neu_weak_to_strong,
    stages,
    thirty,
    thirty_256px,
    thirty_pretrained,
    u2pl,
)
from uaps_jax.study import cells as cells_lib
from uaps_jax.study import figures, outcome, report
from uaps_jax.study.grid import Bars, Block, Entry, LabelEquivalence, Lines, entries_of

PROJECT = Path(__file__).resolve().parents[2]
NAMES = sorted(p.stem for p in (PROJECT / "configs" / "studies").glob("[!_]*.py"))
STUDIES = [name for name in NAMES if not name.endswith("_active")]


def study(**changes):
    grid = base.study(
        "a study", {name: base.METHODS[name] for name in ("supervised", "UAPS", "CCT")}
    )
    grid.variant, grid.manual_dir = "small", "downloads"
    grid.blocks = (Block(entries=("supervised", "UAPS"), datasets=("neu",), seeds=(0, 1)),)
    for name, value in changes.items():
        setattr(grid, name, value)
    return grid


@pytest.mark.parametrize("name", [n for n in STUDIES if n != "base"])
def test_every_study_of_the_project_can_be_run(name):
    grid = importlib.import_module(f"uaps_jax.configs.studies.{name}").get_config()
    cells = cells_lib.cells(grid)
    shown = {entry for figure in grid.figures for entry in entries_of(figure)}
    assert shown <= {row for cell in cells for row in cell.rows or (cell.entry,)}
    assert len({cell.folder for cell in cells}) == len(cells)


def test_the_study_of_u2pl_differs_in_the_methods_and_their_loss():
    for argument, percentile, metric, steps in (
        ("neu", "all", "image_iou", 1500),
        ("cracks", "class", "dataset_iou_foreground", 600),
    ):
        grid = u2pl.get_config(argument)
        cells = {cell.entry: cell.config for cell in cells_lib.cells(grid) if cell.seed == 2}
        assert grid.metrics[0] == metric
        assert cells["U2PL"].method.percentile == percentile
        assert cells["U2PL"].method.weight_contrast > 0
        assert cells["U2PL, no contrast"].method.weight_contrast == 0
        assert {c.train.steps for c in cells.values()} == {steps}
        for entry in ("U2PL", "U2PL, no contrast"):
            assert cells[entry].method.warm_up == steps // 3
        assert {c.data.split_seed for c in cells.values()} == {2}
    with pytest.raises(ConfigError, match="dataset = 'crack': must be one of neu, cracks"):
        u2pl.get_config("crack")


def test_the_study_of_few_labels_has_parts_and_a_short_form():
    def settings(argument):
        found = {}
        for cell in cells_lib.cells(thirty.get_config(argument)):
            found[cell.entry, cell.budget, cell.seed] = cell.config
        return found

    whole, short = settings("methods,ablation"), settings("ablation,32px,methods")
    assert whole.keys() == short.keys() == settings("methods").keys() | settings("ablation").keys()
    assert {(c.data.height, c.train.steps) for c in whole.values()} == {(64, 3000)}
    assert {(c.data.height, c.train.steps) for c in short.values()} == {(32, 1500)}
    assert {c.data.labeled_count for c in short.values()} == {8, 30}
    with pytest.raises(
        ConfigError,
        match="size = .method.: must be one of methods, single, .*, 32px; did you mean",
    ):
        thirty.get_config("method,32px")


@pytest.mark.parametrize(
    ("study", "argument", "budgets", "size", "steps", "network"),
    [
        (thirty_256px, "", {30, 8}, 256, 3000, "unet"),
        (thirty_256px, "budget=8", {8}, 256, 3000, "unet"),
        (thirty_256px, "network=efficientnet_lite0,budget=30", {30}, 256, 3000, "unet_decoder"),
        (thirty_pretrained, None, {30}, 128, 1500, "unet_decoder"),
    ],
)
def test_larger_studies_of_few_labels(study, argument, budgets, size, steps, network):
    grid = study.get_config() if argument is None else study.get_config(argument)
    cells = cells_lib.cells(grid)
    assert len(cells) == 9 * len(budgets)
    configs = [cell.config for cell in cells]
    assert {c.data.labeled_count for c in configs} == budgets
    assert {(c.data.height, c.train.steps) for c in configs} == {(size, steps)}
    assert {(c.network.name, c.optimizer.schedule) for c in configs} == {(network, "cosine")}
    is_pretrained = network == "unet_decoder"
    assert {bool(c.network.pretrained) for c in configs} == {is_pretrained}
    assert {c.data.split_seed == c.train.seed for c in configs} == {True}
    ramps = {
        cell.entry: cell.config.method.ramp_length for cell in cells if cell.entry != "supervised"
    }
    assert ramps == {"recommended": 0.4 * steps, "Dirichlet Match": 0}


def test_the_study_of_a_folder_keeps_the_ramp_and_divides_the_masks_anew():
    cells = cells_lib.cells(folder.get_config("medium"))
    assert [cell.entry for cell in cells] == 3 * ["supervised", "recommended"]
    assert [cell.draw for cell in cells] == [0, 0, 1, 1, 2, 2]
    for cell in cells:
        assert cell.config.data.shares == (0.5, 0.25, 0.25)
        assert cell.config.train.batch_labeled == 8
    assert cells[0].config.evaluation.predictor == "ema"
    assert cells[1].config.method.ramp_length == 0.4 * cells[1].config.train.steps
    with pytest.raises(ConfigError, match="variant = 'large': must be one of small, med"):
        folder.get_config("large")


def test_the_study_at_full_size_has_one_network():
    with pytest.raises(ConfigError, match="network: is given 2 times"):
        thirty_256px.get_config("network=unet,network=efficientnet_lite0")
    with pytest.raises(ConfigError, match="budget = '80': must be one of 30, 8; did you mean 8"):
        thirty_256px.get_config("budget=80")


def test_the_short_study_of_the_weak_to_strong_family():
    cells = cells_lib.cells(neu_weak_to_strong.get_config("short"))
    assert [cell.entry for cell in cells] == ["supervised", "UAPS", "recommended"]
    for cell in cells:
        assert (cell.config.train.steps, cell.config.network.dtype) == (7500, "bfloat16")


@pytest.mark.parametrize(
    ("argument", "labeled", "copies"),
    [
        ("neu", 453, "exclude"),
        ("neu,grouped", 30, "exclude"),
        ("mtiles", 137, "exclude"),
        ("mtiles,grouped", 30, "unlabeled"),
    ],
)
def test_the_study_of_stages_has_lists_and_groups(argument, labeled, copies):
    cells = cells_lib.cells(stages.get_config(argument))
    configs = [cell.config for cell in cells]
    assert len(cells) == 12
    assert {c.data.labeled_count for c in configs} == {labeled}
    assert {c.data.labeled_group_copies for c in configs} == {copies}
    is_neu = argument.startswith("neu")
    assert {c.train.steps for c in configs} == {1500}
    assert {c.data.defect_share for c in configs} == {0.0 if is_neu else 0.5}
    size, network = (32, "unet") if is_neu else (128, "unet_decoder")
    assert {(c.data.height, c.network.name) for c in configs} == {(size, network)}
    splits = {c.data.split_seed for c in configs}
    assert len(splits) == (3 if argument.endswith("grouped") else 1)


@pytest.mark.parametrize(
    ("argument", "size", "network"),
    [("folder", 64, "unet"), ("folder,pretrained", 128, "unet_decoder")],
)
def test_the_study_of_stages_on_your_own_images(argument, size, network):
    grid = stages.get_config(argument)
    cells = cells_lib.cells(grid)
    assert [cell.entry for cell in cells] == [n for n in ("ST", "ST++", "PPL") for _ in range(3)]
    assert {(c.config.data.height, c.config.network.name) for c in cells} == {(size, network)}
    assert {c.config.data.shares for c in cells} == {(0.5, 0.25, 0.25)}
    assert {c.config.data.split_seed for c in cells} == {0, 1, 2}
    assert all(c.recipe.balanced for c in cells)
    assert {c.recipe.student_steps for c in cells} == {(3000,), (3000, 3000)}
    [figure] = grid.figures
    assert figure.budget == 1.0
    rows = {row for cell in cells for row in cell.rows}
    assert set(figure.entries) == rows | {"supervised"}


def test_the_study_of_stages_refuses_another_argument():
    with pytest.raises(ConfigError, match="'neu,group': must be one of neu, neu,grouped, mtiles"):
        stages.get_config("neu,group")


def test_the_first_study_differs_in_the_method_alone():
    supervised, fixmatch = cells_lib.cells(first.get_config())
    assert [str(c.folder) for c in (supervised, fixmatch)] == ["supervised", "fixmatch"]
    flat = [config_lib.flatten(cell.config) for cell in (supervised, fixmatch)]
    keys = [difference.key for difference in config_lib.differences(*flat)]
    of_method = ("method", "views.unlabeled", "evaluation.predictor")
    assert all(key.startswith(of_method) for key in keys)
    assert supervised.config.method.ema_decay == fixmatch.config.method.ema_decay
    assert supervised.config.evaluation.predictor == "ema"
    assert fixmatch.config.method.ramp_length == 0.4 * fixmatch.config.train.steps
    assert fixmatch.config.method.ramp_interval == 1


def test_a_draw_of_the_first_study_has_its_own_labels_and_weights():
    for cell in cells_lib.cells(first.get_config("3")):
        assert (cell.config.data.split_seed, cell.config.train.seed) == (3, 3)
    with pytest.raises(ConfigError, match="must be a number from 0, not 'three'"):
        first.get_config("three")


def test_a_study_excludes_copies_of_labeled_images_by_default():
    grid = study(blocks=(Block(entries=("supervised", "UAPS"), datasets=("folder",)),))
    for cell in cells_lib.cells(grid):
        assert cell.config.data.labeled_group_copies == "exclude"
        assert "--config.data.labeled_group_copies=exclude" in cells_lib.flags(cell)
    grid.overrides = {"data.labeled_group_copies": "unlabeled"}
    assert {c.config.data.labeled_group_copies for c in cells_lib.cells(grid)} == {"unlabeled"}


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({}, "labeled_ratio 0.1"),
        ({"data.labeled_count": 30}, "labeled_count 30"),
        ({"data.labeled_list": "mine.txt"}, "labeled_list mine.txt"),
    ],
)
def test_the_budget_is_the_setting_that_counts(overrides, expected):
    assert cells_lib.cells(study(overrides=overrides))[0].budget == expected


def test_budgets_are_counts_or_ratios_and_replace_those_of_the_file():
    grid = study(overrides={"data.labeled_count": 5})
    grid.blocks = (Block(entries=("UAPS",), datasets=("neu",), budgets=(1, 1.0, 30)),)
    actual = cells_lib.cells(grid)
    assert [c.budget for c in actual] == ["labeled_count 1", "labeled_ratio 1", "labeled_count 30"]
    assert [c.folder.parts[3] for c in actual] == ["count_1", "ratio_1", "count_30"]
    assert [c.config.data.labeled_count for c in actual] == [1, 0, 30]


@pytest.mark.parametrize("follows", [True, False])
def test_draws_and_seeds_are_crossed_and_the_usual_draw_is_the_same_run(follows):
    usual = 0 if follows else 45
    grid = study(split_follows_seed=follows)
    grid.blocks = (
        Block(entries=("UAPS",), datasets=("neu",), seeds=(0,)),
        Block(entries=("UAPS",), datasets=("neu",), draws=(usual, 7), seeds=(0, 1)),
    )
    actual = [(c.draw, c.seed, c.folder.name) for c in cells_lib.cells(grid)]
    assert actual == [
        (usual, 0, "seed_0"),
        (usual, 1, "draw_0_seed_1" if follows else "seed_1"),
        (7, 0, "draw_7_seed_0"),
        (7, 1, "draw_7_seed_1"),
    ]


def test_the_report_says_what_the_draws_mean():
    grid = study(split_follows_seed=True)
    entries, datasets = ("UAPS",), ("neu",)
    grid.blocks = (Block(entries=entries, datasets=datasets, seeds=(0, 1)),)
    assert report.draw_notes(cells_lib.cells(grid)) == []
    grid.blocks = (Block(entries=entries, datasets=datasets, draws=(0, 1), seeds=(0, 1)),)
    assert "too narrow" in report.draw_notes(cells_lib.cells(grid))[0]
    grid.blocks = (Block(entries=entries, datasets=datasets, draws=(0,), seeds=(0, 1)),)
    assert "the same draw" in report.draw_notes(cells_lib.cells(grid))[0]


def test_a_training_that_two_blocks_name_runs_once():
    grid = study()
    grid.blocks = (*grid.blocks, Block(entries=("UAPS", "CCT"), datasets=("neu",), seeds=(1, 2)))
    actual = [(cell.entry, cell.seed) for cell in cells_lib.cells(grid)]
    assert actual == [
        ("supervised", 0),
        ("UAPS", 0),
        ("supervised", 1),
        ("UAPS", 1),
        ("CCT", 1),
        ("UAPS", 2),
        ("CCT", 2),
    ]


def test_what_is_alike_for_all_and_what_is_each_methods_own():
    overrides = {"train.steps": 300, "optimizer.schedule": "poly"}
    for cell in cells_lib.cells(study(overrides=overrides, ramp_share=0.5)):
        assert cell.config.train.steps == 300
        assert cell.config.optimizer.schedule == "poly"
        if cell.entry == "UAPS":
            assert cell.config.method.ramp_length == 150
            assert cell.config.method.weight_pseudo == 0.1
    own = cells_lib.cells(study(overrides={"train.steps": 300}, ramp_share=0.0))
    assert own[1].config.method.ramp_length == round(0.34 * 300)


def test_a_ramp_that_is_set_keeps_its_share_of_the_steps():
    recommended = Entry(config="configs/train.py:dataset={dataset},variant={variant}")
    plain = Entry(method="fixmatch")
    grid = study(overrides={"train.steps": 3000}, ramp_share=0.0)
    grid.entries = {"supervised": grid.entries["supervised"], "ours": recommended, "plain": plain}
    grid.blocks = (Block(entries=("ours", "plain"), datasets=("neu",)),)
    lengths = [cell.config.method.ramp_length for cell in cells_lib.cells(grid)]
    assert lengths == [1200, 0]


def test_entries_override_and_the_flags_say_the_same():
    mean = Entry(
        method="uaps", overrides={"method.mixing": "mean", "method.energy_margins": (-2.0, -1.0)}
    )
    grid = study(
        entries={"supervised": base.METHODS["supervised"], "mean": mean}, split_follows_seed=True
    )
    grid.blocks = (Block(entries=("mean",), datasets=("neu",), budgets=(0.3,), seeds=(4,)),)
    grid.baseline = "supervised"
    (cell,) = cells_lib.cells(grid)
    assert (cell.config.method.mixing, cell.config.data.split_seed) == ("mean", 4)
    assert cell.config.data.labeled_ratio == 0.3
    assert cell.folder == Path("runs/neu/mean/ratio_0.3/seed_4")
    flags = cells_lib.flags(cell)
    assert flags[0] == "--config=configs/neu_uaps.py:small"
    assert "--config.method.energy_margins=(-2.0, -1.0)" in flags
    # Every setting that differs from the file's is among the flags.
    file = config_lib.flatten(neu_uaps.get_config("small"))
    mine = config_lib.flatten(cell.config)
    named = {flag.split("=")[0].removeprefix("--config.") for flag in flags[1:]}
    assert {key for key in mine if mine[key] != file[key]} <= named


BAD = {
    "no entry 'nobody'": {"blocks": (Block(entries=("nobody",), datasets=("neu",)),)},
    "no entry 'unknown'": {
        "figures": (Bars(title="", dataset="neu", budget=0.1, entries=("unknown",)),)
    },
    "budgets: 0 must be": {"blocks": (Block(entries=("UAPS",), datasets=("neu",), budgets=(0,)),)},
    "budgets: 1.5 must be": {
        "blocks": (Block(entries=("UAPS",), datasets=("neu",), budgets=(1.5,)),)
    },
    "the baseline 'supervised' cannot be an entry": {
        "figures": (LabelEquivalence(title="", dataset="neu", entries=("supervised",)),)
    },
    "baseline = 'other'": {"baseline": "other"},
    "checkpoint = 'last'": {"checkpoint": "last"},
    "workers = 0": {"workers": 0},
    "ramp_share = 2": {"ramp_share": 2.0},
    r"metrics = \(\)": {"metrics": ()},
    "metrics: there is no 'miou'": {"metrics": ("image_iou", "miou")},
    "dataset = 'mars': must be one of neu, dagm": {
        "blocks": (Block(entries=("UAPS",), datasets=("mars",)),)
    },
    "nowhere.py does not exist": {
        "entries": {"supervised": Entry(method="supervised"), "UAPS": Entry(config="nowhere.py")}
    },
    "entry 'UAPS': must have either a method or a config": {
        "entries": {"supervised": Entry(method="supervised"), "UAPS": Entry()}
    },
    "learning_rate = -1.0: must be positive": {"overrides": {"optimizer.learning_rate": -1.0}},
    "optimizer.learning_rates does not exist": {"overrides": {"optimizer.learning_rates": 1.0}},
}


@pytest.mark.parametrize("message", BAD)
def test_a_bad_study_is_refused_with_its_reason(message):
    with pytest.raises(ConfigError, match=message):
        cells_lib.cells(study(**BAD[message]))


def test_differences_between_the_rows_of_a_table_are_refused_unless_an_entry_declares_them():
    with pytest.raises(ConfigError, match=r"train\.steps is 11980 for supervised, 47141 for UAPS"):
        cells_lib.cells(study(variant=""))
    longer = Entry(method="uaps", overrides={"train.steps": 1600})
    declared = study(entries={"supervised": base.METHODS["supervised"], "UAPS": longer})
    actual = {cell.entry: cell.config for cell in cells_lib.cells(declared)}
    assert (actual["supervised"].train.steps, actual["UAPS"].train.steps) == (800, 1600)
    assert actual["UAPS"].method.ramp_length == round(0.34 * 1600)


OUTSIDE = """
from uaps_jax.configs import train
from uaps_jax.config import Config


def get_config(argument: str = "") -> Config:
    config = train.get_config(f"{argument},method=cps")
    config.method.weight = 0.7
    return config
"""


@pytest.mark.parametrize("is_absolute", [True, False])
def test_an_entry_may_be_a_file_of_somebody_else(tmp_path, monkeypatch, is_absolute):
    file = tmp_path / "mine" / "my_method.py"
    file.parent.mkdir()
    file.write_text(OUTSIDE)
    if not is_absolute:
        monkeypatch.chdir(tmp_path)
    path = file if is_absolute else file.relative_to(tmp_path)
    mine = Entry(config=f"{path}:dataset={{dataset}},variant={{variant}}")
    grid = study(entries={"CCT": base.METHODS["CCT"], "mine": mine}, baseline="CCT")
    grid.blocks = (Block(entries=("mine",), datasets=("dagm", "synthetic")),)
    first, second = cells_lib.cells(grid)
    assert (first.config.data.name, second.config.data.name) == ("dagm", "synthetic/64px")
    assert (first.config.method.name, first.config.method.weight) == ("cps", 0.7)
    assert first.config.train.steps == 800
    assert cells_lib.flags(first)[0] == f"--config={path}:dataset=dagm,variant=small"
    assert first.folder == Path("runs/dagm/mine/ratio_0.1/seed_0")


def test_a_file_without_an_argument_gets_the_variant():
    mine = Entry(config="configs/dagm_uaps.py")
    grid = study(entries={"supervised": base.METHODS["supervised"], "mine": mine})
    grid.blocks = (Block(entries=("mine",), datasets=("dagm",)),)
    (cell,) = cells_lib.cells(grid)
    assert cell.file == "configs/dagm_uaps.py:small"
    assert cell.config.train.steps == 800


def test_a_method_without_published_settings_runs_on_every_dataset():
    grid = study()
    grid.blocks = (Block(entries=("CCT",), datasets=("neu", "mtiles")),)
    assert [cell.file for cell in cells_lib.cells(grid)] == [
        "configs/neu_cct.py:small",
        "configs/train.py:dataset=mtiles,method=cct,variant=small",
    ]


def test_an_entrys_own_ramp_is_not_scaled():
    own = Entry(method="uaps", overrides={"method.ramp_length": 7})
    actual = cells_lib.cells(study(entries={"supervised": base.METHODS["supervised"], "UAPS": own}))
    assert {c.config.method.ramp_length for c in actual if c.entry == "UAPS"} == {7}


def test_folders_can_have_the_names_of_their_entries():
    grid = study(folders="entries")
    grid.blocks = (Block(entries=("supervised", "UAPS"), datasets=("neu",)),)
    assert [str(c.folder) for c in cells_lib.cells(grid)] == ["supervised", "UAPS"]
    grid.blocks = (Block(entries=("supervised",), datasets=("neu",), seeds=(0, 1)),)
    with pytest.raises(ConfigError, match="same folder supervised; rename an entry, or set"):
        cells_lib.cells(grid)


def test_names_that_would_share_a_folder_are_refused():
    one, other = Entry(method="uaps"), Entry(method="uaps", overrides={"method.mixing": "mean"})
    grid = study(entries={"a b": one, "a/b": other}, baseline="a b")
    grid.blocks = (Block(entries=("a b", "a/b"), datasets=("neu",)),)
    with pytest.raises(ConfigError, match="have the same folder"):
        cells_lib.cells(grid)


def test_pictures_of_entries_are_headed_by_their_scores():
    _, cell = cells_lib.cells(study(split_follows_seed=True))[:2]
    result = {"scores": {"best": {"image_iou": 61.25}}, "other_predictors": {}}
    ended = outcome.Outcome(cell=cell, result=result, reason="")
    assert figures.scored_name(ended, "image_iou") == f"{cell.entry} (image_iou 61.2 %)"
    result["scores"]["best"]["image_iou"] = None
    assert figures.scored_name(ended, "image_iou") == cell.entry


@pytest.mark.parametrize("config", ["configs/mtiles_stpp.py", ""])
def test_stages_are_processes_where_an_entry_is_a_recipe(config, monkeypatch, tmp_path):
    grid = study()
    if config:
        grid.entries["ST++"] = Entry(config=config)
        grid.blocks = (Block(entries=("ST++",), datasets=("mtiles",)),)
        grid.baseline = "ST++"
    given = []
    monkeypatch.setattr(commands_study, "run_study", lambda *arguments: given.append(arguments))
    asked = Request(
        config=grid,
        workdir=tmp_path,
        checkpoint="best",
        input=None,
        command=("python", "run.py", "--config=mine.py"),
        stages_as_processes=True,
    )
    if config:
        commands_study.study(asked)
        [(_, _, command, of_recipe)] = given
        assert of_recipe == (*command, "--stages_as_processes")
    else:
        with pytest.raises(ConfigError, match="no entry of this study is one; leave it out"):
            commands_study.study(asked)
        assert not given


def test_a_label_efficiency_figure_shows_images_and_leakage_groups(tmp_path, monkeypatch):
    grid = study()
    grid.blocks = (Block(entries=("UAPS", "CCT"), datasets=("neu",), budgets=(0.1, 0.5)),)
    outcomes = []
    for cell in cells_lib.cells(grid):
        labeled = round(100 * cell.config.data.labeled_ratio)
        score = {"image_iou": 60.0, "labeled": labeled, "labeled_groups": labeled}
        scores = {"best": score}
        result = {"scores": scores, "other_predictors": {}, "parameters": 1}
        outcomes.append(outcome.Outcome(cell=cell, result=result, reason=""))
    output = []
    monkeypatch.setattr(figures.lines, "draw", lambda *_, counts: output.append(counts))

    def figure(points):
        lines = Lines(title="Lines", dataset="neu", x_label="x", series={"a": points})
        assert figures.draw(grid, lines, outcomes, tmp_path, tmp_path / "lines.png")

    figure(((0.1, "UAPS", 0.1), (0.5, "UAPS", 0.5)))
    figure(((1.0, "UAPS", 0.1), (2.0, "CCT", 0.1)))
    assert output == [
        {
            0.1: "10 labeled images of 10 leakage groups",
            0.5: "50 labeled images of 50 leakage groups",
        },
        {},  # no other number of labels
    ]
