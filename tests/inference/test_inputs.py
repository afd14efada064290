"""The images that a person gives: a file, a folder, a list of files."""

import numpy as np
import pytest
from PIL import Image

from uaps_jax.config import ConfigError
from uaps_jax.inference import inputs


def save(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(file)
    return file


def found(given, leave_out, problems=None):
    problems = [] if problems is None else problems
    return {source.name: source.file for source in inputs.find(given, 65535, leave_out, problems)}


def test_a_folder_without_hidden_files_and_earlier_results(tmp_path):
    for name in ("b.png", "deep/a.JPG", ".hidden.png", "out/mask/b.png"):
        save(tmp_path / name)
    assert found(tmp_path, tmp_path / "out") == {"b": "b.png", "deep/a": "deep/a.JPG"}


def test_one_file(tmp_path):
    save(tmp_path / "other.png")
    assert found(save(tmp_path / "one.bmp"), tmp_path / "out") == {"one": "one.bmp"}


def test_a_list_of_files(tmp_path):
    save(tmp_path / "line 1" / "deep" / "a.png")
    save(tmp_path / "line 2" / "a.png")
    here = tmp_path / "lists"
    here.mkdir()
    lines = ("../line 1/deep/a.png", "", f"{tmp_path}/line 2/a.png", "../line 2/gone.png ")
    (here / "all.txt").write_text("\ufeff" + "\r\n".join([*lines, *lines, "tab\there.png"]))
    problems = []
    assert found(here / "all.txt", tmp_path / "out", problems) == {
        "line 1/deep/a": "line 1/deep/a.png",
        "line 2/a": "line 2/a.png",
        "line 2/gone": "line 2/gone.png",  # it is found missing when it is read
    }
    assert [problem.path for problem in problems] == ["tab\there.png"]


def test_what_is_no_input_is_said(tmp_path):
    (tmp_path / "notes.json").write_text("{}")
    (tmp_path / "none.txt").write_text("\n")
    (tmp_path / "bad.txt").write_bytes(b"\xff")
    for given, reason in (
        (tmp_path, "has no image"),
        (tmp_path / "gone", "does not exist"),
        (tmp_path / "gone.txt", "cannot be read: .*No such file"),
        (tmp_path / "none.txt", "has no image"),
        (tmp_path / "bad.txt", "cannot be read"),
    ):
        with pytest.raises(ConfigError, match=f"--input={given}: {reason}"):
            found(given, tmp_path / "out")


def test_two_inputs_of_the_same_name_have_different_labels(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "a" / "parts")
    labels = {inputs.label(tmp_path / folder / "parts") for folder in ("a", "b")}
    assert len(labels) == 2
    assert inputs.label(tmp_path / "link") == inputs.label(tmp_path / "a" / "parts")
    assert all(label.startswith("parts-") for label in labels)
    assert inputs.label(tmp_path / "a b: c").startswith("a_b__c-")
