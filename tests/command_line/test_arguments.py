"""Combinations of flags, and the default work directory."""

from pathlib import Path

import pytest

from uaps_jax import commands
from uaps_jax.command_line.arguments import Arguments
from uaps_jax.command_line.default_workdir import default_workdir
from uaps_jax.commands import recipe, study, train
from uaps_jax.config import ConfigError
from uaps_jax.configs import neu_stpp, synthetic_uaps
from uaps_jax.configs.studies import neu_small

NOTHING = {
    "command": ("run.py",),
    "config": None,
    "config_file": None,
    "overrides": (),
    "mode": None,
    "workdir": None,
    "checkpoint": "best",
    "demo": 0,
    "uncertainty": "entropy",
    "stablehlo": False,
    "profile_steps": [],
    "coordinator": None,
    "processes": None,
    "process": None,
    "cluster": False,
    "input": None,
    "count": None,
    "images": None,
    "stage": None,
    "stages_as_processes": False,
    "reuse": None,
    "lists": False,
    "mm_per_pixel": None,
    "port": None,
    "full_size": False,
}


def arguments(**given):
    return Arguments(**(NOTHING | given))


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("configs/neu_uaps.py", "runs/neu_uaps"),
        ("configs/neu_uaps.py:small", "runs/neu_uaps_small"),
        ("/elsewhere/my_entropy.py", "runs/my_entropy"),
        ("configs/train.py:dataset=folder,method=cps,variant=", "runs/train_folder_cps"),
        ("configs/train.py:dataset=synthetic/64px", "runs/train_synthetic_64px"),
        ("x.py:../../etc", "runs/x_.._.._etc"),
    ],
)
def test_the_work_directory_is_named_after_the_configuration(file, folder):
    assert default_workdir(file) == Path(folder)
    given = arguments(config=synthetic_uaps.get_config(), config_file=file)
    assert given.request().workdir == Path(folder)
    assert arguments(config_file=file, workdir="mine").request().workdir == Path("mine")
    served = arguments(mode="serve", input="there/x.onnx", port=0).request()
    assert (served.workdir, served.input, served.port) == (Path("there"), Path("there/x.onnx"), 0)


def test_without_a_configuration_the_run_has_to_be_named():
    with pytest.raises(ConfigError, match="training needs a configuration: give --config=FILE"):
        arguments().request()
    for mode in ("evaluate", "predict", "export", "replay"):
        with pytest.raises(ConfigError, match=f"--mode={mode} needs a run: .*--workdir=FOLDER"):
            arguments(mode=mode).request()
        assert arguments(mode=mode, workdir="run").request().workdir == Path("run")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"input": "x", "mode": "export"}, "--input=x is for --mode=predict, evaluate, import, "),
        ({"images": "x", "mode": "predict"}, "--images=x is for --mode=import"),
        ({"count": 3, "mode": "predict"}, "--count=3 is for --mode=queue, not for predict"),
        ({"mode": "review"}, "--mode=review needs --input"),
        ({"mode": "review", "input": "q", "workdir": "w"}, "needs --input, .* neither --workdir"),
        (
            {"mode": "serve", "input": "x", "workdir": "w"},
            "--mode=serve takes --input, .*leave out",
        ),
        ({"mode": "serve", "input": "x", "config_file": "c"}, "--mode=serve takes --input"),
        ({"mode": "serve", "input": "x", "checkpoint": "7"}, "--mode=serve takes --input"),
        ({"mm_per_pixel": 0.1, "mode": "evaluate"}, "predict and serve, not for evaluate"),
        ({"port": 80, "mode": "predict"}, "--port=80 is for --mode=serve, not for predict"),
        ({"full_size": True, "mode": "predict"}, "--full_size is for --mode=export, not for"),
        ({"mm_per_pixel": 0.0, "mode": "predict"}, "--mm_per_pixel=0: must be above 0"),
        ({"demo": 3}, "--demo=3 is for --mode=evaluate, not for train"),
        ({"uncertainty": "method", "mode": "predict"}, "is for --mode=export, not for predict"),
        ({"stablehlo": True, "mode": "evaluate"}, "--stablehlo is for --mode=export, not for eval"),
        ({"demo": 3, "config": neu_small.get_config()}, "not for a study"),
        ({"demo": 3, "config": neu_stpp.get_config()}, "not for a recipe"),
        ({"stages_as_processes": True}, "is for a recipe or a study, not for train"),
        ({"stage": "rank"}, "--stage=rank is for a recipe, not for train"),
        ({"reuse": "."}, "--reuse=. is for a recipe, not for train"),
        ({"reuse": ".", "config": neu_small.get_config()}, "recipes that are entries of a study"),
        ({"reuse": ".", "stage": "a", "config": neu_stpp.get_config()}, "leave out --stage and"),
        ({"reuse": "none", "config": neu_stpp.get_config()}, "--reuse=none: there is no such fol"),
        ({"lists": True, "config": neu_small.get_config()}, "--list is for a recipe, not for a st"),
        ({"lists": True, "stage": "a", "config": neu_stpp.get_config()}, "leave out either"),
        ({"cluster": True, "config": neu_stpp.get_config()}, "not for a recipe"),
        ({"coordinator": "localhost:1"}, "must be given together"),
        ({"processes": 2, "cluster": True}, "must be given together"),
        ({"cluster": True, "mode": "export"}, "are for --mode=train, not for export"),
        ({"cluster": True, "config": neu_small.get_config()}, "not for a study"),
        ({"profile_steps": ["1", "2"], "mode": "split"}, "is for --mode=train, not for split"),
    ],
)
def test_flags_that_do_not_belong_together_are_refused(given, reason):
    with pytest.raises(ConfigError, match=reason):
        arguments(**given).check()


@pytest.mark.parametrize("steps", [["1"], ["5", "2"], ["0", "2"], ["a", "b"]])
def test_steps_to_profile_are_two_numbers_in_order(steps):
    with pytest.raises(ConfigError, match="must be a first and a last step"):
        arguments(workdir="run", profile_steps=steps).request()
    good = arguments(workdir="run", profile_steps=["10", "15"])
    assert good.request().profile == (10, 15)


def test_the_kind_of_the_configuration_decides_what_runs():
    grid, config = neu_small.get_config(), synthetic_uaps.get_config()
    assert commands.choose(grid, None) is study.study
    assert commands.choose(neu_stpp.get_config(), None) is recipe.recipe
    assert commands.choose(config, None) is train.train
    assert commands.choose(None, "export") is commands.COMMANDS["export"]
    assert "study" not in commands.COMMANDS
    with pytest.raises(ConfigError, match="--mode=train is for one training, and this --config is"):
        commands.choose(grid, "train")
