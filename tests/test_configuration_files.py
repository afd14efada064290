"""Configuration files of users are read as by `--config`."""

from pathlib import Path

import pytest

from tests import published
from uaps_jax.config import ConfigError
from uaps_jax.configuration_files import find, load_config, packaged_names


def test_a_file_is_run_once_and_asked_with_its_argument(tmp_path):
    file = tmp_path / "once.py"
    file.write_text(
        "from uaps_jax.configs import neu_uaps\n"
        "runs = []\n"
        "def get_config(variant='medium'):\n"
        "    runs.append(variant)\n"
        "    config = neu_uaps.get_config(variant)\n"
        "    config.train.log_every = len(runs)\n"
        "    return config\n"
    )
    first, second = (load_config(f"{file}{argument}") for argument in ("", ":small"))
    assert (first.train.steps, first.train.log_every) == (2500, 1)
    assert (second.train.steps, second.train.log_every) == (800, 2)


WRONG = {
    "1 / 0": r"wrong.py cannot be run: ZeroDivisionError",
    "def get_config(:": r"wrong.py cannot be run: SyntaxError",
    "x = 1": r"wrong.py has no function get_config\(\)",
    "def get_config():\n    return {}": "get_config must return a Config",
    "def get_config():\n    return [][0]": "wrong.py: get_config: IndexError",
    "def get_config():\n"
    "    from uaps_jax.config import ConfigError\n"
    "    raise ConfigError('no such part')": "^no such part$",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_file_without_a_configuration_is_reported_with_the_reason(tmp_path, text):
    file = tmp_path / "wrong.py"
    file.write_text(text)
    with pytest.raises(ConfigError, match=WRONG[text]):
        load_config(str(file))


def test_the_packages_own_file_is_found_from_any_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file, _, argument = find("configs/neu_uaps.py:small").partition(":")
    assert Path(file).samefile(Path(__file__).resolve().parents[1] / "configs" / "neu_uaps.py")
    assert argument == "small"
    assert load_config("configs/neu_uaps.py:small").train.steps == 800
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "neu_uaps.py").write_text("raise KeyError('mine')")
    assert find("configs/neu_uaps.py:small") == "configs/neu_uaps.py:small"
    with pytest.raises(ConfigError, match=r"neu_uaps.py cannot be run: KeyError: 'mine'"):
        load_config("configs/neu_uaps.py:small")
    for name in ("neu_uaps.py", "configs/none.py", "other/configs/neu_uaps.py", "configs/\0.py"):
        assert find(name) == name


def test_every_packaged_name_is_a_configuration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "configs/neu_uaps.py" in packaged_names()
    recipes = [f"configs/{name}.py" for name in published.RECIPES]
    for name in {*packaged_names()} - {*recipes}:
        assert load_config(name).train.steps > 0
    with pytest.raises(ConfigError, match="several trainings, a recipe or a study"):
        load_config(recipes[0])


def test_settings_are_overridden_by_dotted_key():
    config = load_config("configs/neu_uaps.py", {"train.steps": 7, "optimizer.schedule": "poly"})
    assert (config.train.steps, config.optimizer.schedule) == (7, "poly")
    assert load_config("configs/neu_uaps.py").train.steps == 47141
    with pytest.raises(ConfigError, match=r"train.step does not exist.*train.steps"):
        load_config("configs/neu_uaps.py", {"train.step": 7})
