"""The files of `examples/` that are programs, run from end to end on a small scale."""

import ast
import shutil

import numpy as np
import pytest
from PIL import Image

import uaps_jax
from tests import example_files
from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.commands.export import export
from uaps_jax.commands.request import Request
from uaps_jax.study import cells as cells_lib
from uaps_jax.study.grid import entries_of

PARAMETERS = {
    "SIZE": 16,
    "STEPS": 10,
    "SETTINGS": {
        "data.manual_dir": "mine",
        "network.auxiliary": 1,
        "network.widths": (4, 6),
        "network.dropout": (0.0, 0.0),
    },
}


def with_parameters(text, parameters):
    """A notebook in jupytext's percent format with other values in the cell of its parameters."""
    before, cell, after = text.partition('# %% tags=["parameters"]\n')
    cell, divider, after = after.partition("# %%\n")
    lines = []
    for line in cell.splitlines():
        name = line.partition(" = ")[0]
        lines.append(f"{name} = {parameters.pop(name)!r}" if name in parameters else line)
    assert not parameters
    return "\n".join([before, *lines, divider, after])


def run(text, name):
    """What a program leaves in its names."""
    names = {"__name__": "__main__"}
    exec(compile(text, name, "exec"), names)
    return names


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder in which the notebook was run, and what it left in its names."""
    folder = tmp_path_factory.mktemp("notebook")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MPLBACKEND", "agg")
        text = with_parameters(example_files.code("own_images.py"), dict(PARAMETERS))
        yield folder, run(text, "own_images.py")


def test_the_notebook_goes_from_a_folder_to_masks(trained):
    folder, names = trained
    masks = sorted((folder / "runs" / "mine_python" / "masks").glob("*.png"))
    assert [mask.stem for mask in masks] == ["part_36", "part_37", "part_38", "part_39"]
    for file, prediction in zip(masks, names["predictions"], strict=True):
        mask = np.asarray(Image.open(file))
        assert mask.shape == (96, 96)
        np.testing.assert_array_equal(mask, prediction.probabilities.argmax(-1))
    assert (folder / "runs" / "mine_python" / "predictions.png").stat().st_size > 1000


def test_the_notebook_is_one_that_jupytext_reads():
    text = example_files.code("own_images.py")
    assert text.startswith("# ---\n# jupyter:\n#   jupytext:\n")
    assert text.count("\n# %% [markdown]\n# ") == 5
    ast.parse(text)


def test_a_trained_model_predicts(trained, capsys, monkeypatch):
    folder, _ = trained
    monkeypatch.chdir(folder)
    shutil.copy("mine/images/part_39.png", "part.png")
    (folder / "runs" / "first").mkdir()
    (folder / "runs" / "first" / "fixmatch").symlink_to("../mine_python")
    names = run(example_files.code("predict.py"), "predict.py")
    assert names["prediction"].uncertainty.shape == (96, 96)
    written = capsys.readouterr().out
    assert "scratch: " in written
    assert "nats" in written
    assert "no decision was set" in written  # all its annotated images have a scratch


def test_an_exported_model_gives_the_masks_of_the_checkpoint(trained, monkeypatch, capsys):
    folder, notebook = trained
    workdir = folder / "runs" / "mine_python"
    export(Request(config=None, workdir=workdir, checkpoint="best", input=None, stablehlo=True))
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    for ending in ("onnx", "stablehlo"):
        [file] = (workdir / "export").glob(f"*.{ending}")
        shutil.copy(file, elsewhere / f"step_600.{ending}")
    shutil.copy(folder / "mine" / "images" / "part_39.png", elsewhere / "part.png")
    monkeypatch.chdir(elsewhere)
    for example in ("stablehlo_predict.py", "onnx_predict.py"):
        names = run(example_files.code(example), example)
        np.testing.assert_array_equal(names["mask"][0], notebook["predictions"][-1].mask)
    assert "scratch" in capsys.readouterr().out


def test_the_training_from_python_is_one_that_can_start(monkeypatch):
    started = []
    monkeypatch.setattr(uaps_jax, "train", lambda *given: started.append(given))
    run(example_files.code("train.py"), "train.py")
    [(config, workdir)] = started
    assert config_lib.validate(config).optimizer.learning_rate == 5e-4
    assert (config.method.name, workdir) == ("cps", "runs/cps")


def test_the_study_is_one_that_can_start(monkeypatch):
    monkeypatch.chdir(example_files.EXAMPLES.parent)
    try:
        grid = run(example_files.code("my_study.py"), "my_study.py")["get_config"]()
        cells = cells_lib.cells(grid)
    finally:
        example_files.forget("method", "entropy", methods.METHODS, config_lib.METHODS)
    assert {cell.config.method.name for cell in cells} == {"supervised", "uaps", "entropy"}
    assert len(cells) == 4 * 3
    assert set(entries_of(grid.figures[0])) == set(grid.entries)
