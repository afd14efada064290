"""Configuration files of users are read as by `--config`."""

import pytest

from uaps_jax import configuration_files
from uaps_jax.config import ConfigError


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
    first, second = configuration_files.load(str(file)), configuration_files.load(f"{file}:small")
    assert (first.train.steps, first.train.log_every) == (2500, 1)
    assert (second.train.steps, second.train.log_every) == (800, 2)


WRONG = {
    "1 / 0": r"wrong.py cannot be run: ZeroDivisionError",
    "def get_config(:": r"wrong.py cannot be run: SyntaxError",
    "x = 1": r"wrong.py has no get_config\(\)",
    "def get_config():\n    return {}": "get_config returns no configuration of a training",
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
        configuration_files.load(str(file))
