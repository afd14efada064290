"""Command lines from their flags to an error or a result, in real processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import uaps_jax
from tests import command_lines
from uaps_jax.command_line import parsing

PROJECT = Path(__file__).resolve().parents[2]

FILES = {
    "broken.py": "def get_config(:\n",
    "raises.py": "def get_config():\n    return {}['method']\n",
    "wrong.py": "def f():\n    raise ValueError('mine')\ndef get_config(x):\n    f()\n",
    "other.py": "def get_config():\n    return 3\n",
    "none.py": "x = 1\n",
}
ENDS = [
    ([], "training needs a configuration: give --config=FILE"),
    (["--mode=evaluate"], "--mode=evaluate needs a run: give its folder, --workdir=FOLDER, or"),
    (
        ["--mode=study", "--config=configs/studies/neu_small.py"],
        "--mode=study does not exist",
    ),
    (["--config=README.md"], "--config=README.md: is not a Python file; give one with a function"),
    (["--config=README.md:small"], "is not a Python file"),
    (["--config=nowhere.py"], "the file does not exist; published configurations: configs/"),
    (["--config=nowhere\0.py"], "the file does not exist"),
    (["--config=FOLDER/broken.py"], "SyntaxError: "),
    (["--config=FOLDER/raises.py"], "raises.py: KeyError in line 2: 'method'"),
    (["--config=FOLDER/wrong.py:x"], "wrong.py:x: ValueError in line 2: mine"),
    (
        ["--config=FOLDER/other.py"],
        "must have a function get_config() that returns a Config",
    ),
    (["--config=FOLDER/none.py"], "get_config"),
    (["--config=configs/parts/datasets.py"], "get_config"),
    (["--config=configs/nothing.py"], "configs/neu_uaps.py"),
    (
        ["--config", "configs/neu_uaps.py:small", "--config.optimizer.learnin_rate=1"],
        "Did you mean --config.optimizer.learning_rate?",
    ),
    (
        ["--config=configs/neu_stpp.py:small", "--config.data.manual_dir=x"],
        "data.manual_dir does not exist. Did you mean --config.base.data.manual_dir?",
    ),
    (["--config=configs/neu_stpp.py:small", "--mode=train"], "this --config is a recipe: leave"),
    (["--config=configs/neu_uaps.py:small", "--list"], "--list is for a recipe, not for train"),
    (["--config=configs/neu_uaps.py:large"], "variant = 'large': must be one of small, medium"),
]


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """The exit message or result of each of `ENDS`."""
    folder = tmp_path_factory.mktemp("files")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    lines = [
        ["run.py", *(argument.replace("FOLDER", str(folder)) for argument in arguments)]
        for arguments, _ in ENDS
    ]
    return command_lines.ends(lines, os.environ)


@pytest.mark.parametrize("number", range(len(ENDS)), ids=lambda n: " ".join(ENDS[n][0]) or "none")
def test_errors_are_one_sentence(ends, number):
    output, expected = ends[number], ENDS[number][1]
    assert str(output).startswith("error: ")
    assert expected in output
    assert "Traceback" not in output


def run(folder, *arguments):
    return subprocess.run(
        [sys.executable, PROJECT / "run.py", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_configuration_alone_is_enough_where_raw_data_are_missing_that_is_one_sentence(tmp_path):
    done = run(tmp_path, f"--config={PROJECT / 'configs' / 'neu_uaps.py'}")
    assert done.returncode == 1
    [sentence] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "put NEU_Seg-main.zip from https://github.com/DHW-Master/NEU_Seg" in sentence
    assert f"into {tmp_path / 'downloads'}, or pass --config.data.manual_dir=FOLDER" in sentence
    assert done.stderr.rstrip().endswith(sentence)
    assert not (tmp_path / "runs").exists()


def test_the_work_directory_is_made_where_the_command_is_run(tmp_path):
    done = run(tmp_path, "--config=configs/synthetic_uaps.py", "--mode=split")  # the packaged file
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "runs" / "synthetic_uaps" / "split.json").is_file()
    assert (tmp_path / "data" / "synthetic").is_dir()


def test_the_version_is_that_of_the_package(tmp_path):
    done = run(tmp_path, "--version")
    assert done.returncode == 0
    assert done.stdout == f"uaps_jax {uaps_jax.__version__}\n"


def test_the_help_shows_the_flags_and_what_the_program_does(tmp_path):
    done = run(tmp_path, "--help")
    for expected in ("uaps-jax --config=configs/neu_uaps.py", "--workdir:", "--mode:", "--input:"):
        assert expected in done.stdout


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--config=configs/train.py:dataset=neu"], ["--config=/p/configs/train.py:dataset=neu"]),
        (["-config", "configs/train.py", "x"], ["-config", "/p/configs/train.py", "x"]),
        (["--config=mine.py"], ["--config=mine.py"]),
        (["--config"], ["--config"]),
        (["--config.a=configs/train.py"], ["--config.a=configs/train.py"]),
        (["--workdir=configs/train.py"], ["--workdir=configs/train.py"]),
    ],
)
def test_packaged_files_are_found_in_either_spelling_of_the_flag(
    given, expected, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    package = str(Path(uaps_jax.__file__).parent)
    found = parsing.with_found_files(["run.py", *given], "config")
    assert [part.replace(package, "/p") for part in found] == ["run.py", *expected]
