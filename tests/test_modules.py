"""Files that are run by their path."""

import sys

import pytest

from uaps_jax import modules


def test_a_file_becomes_a_module_of_the_given_name(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("import sys\nvalue = 3\nitself = sys.modules[__name__]\n")
    module = modules.run_file(file, "name_of_a_test")
    assert module.value == 3
    assert sys.modules.pop("name_of_a_test") is module is module.itself


def test_a_file_that_fails_leaves_no_module_behind(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("raise KeyError('mine')")
    with pytest.raises(KeyError, match="mine"):
        modules.run_file(file, "name_of_a_test")
    assert "name_of_a_test" not in sys.modules
    text = tmp_path / "mine.txt"
    text.write_text("")
    with pytest.raises(ImportError, match="is not a Python file"):
        modules.run_file(text, "name_of_a_test")
