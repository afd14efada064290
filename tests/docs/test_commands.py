"""Commands, settings and files that the documents name exist."""

import re
import typing
from pathlib import Path

import pytest
from absl import flags as absl_flags

from tests import command_lines, example_files
from tests.docs import documents
from uaps_jax import commands, methods, models
from uaps_jax import config as config_lib
from uaps_jax.command_line import flags
from uaps_jax.config.section import settings
from uaps_jax.configs import train
from uaps_jax.configs.parts.networks import NETWORKS
from uaps_jax.recipes import stage
from uaps_jax.recipes.stage import Recipe
from uaps_jax.study import rounds
from uaps_jax.study.kind import Study
from uaps_jax.study.rounds import Rounds

OTHERS = {"logdir": "xprof", "cov": "pytest"}
"""Flags of other programs."""
OF_THE_PROGRAM = [file for file in documents.DOCUMENTS if file.parent.name != "benchmarks"]


@pytest.fixture(autouse=True)
def _at_the_project(monkeypatch):
    monkeypatch.chdir(documents.PROJECT)
    yield
    example_files.forget("method", "entropy", methods.METHODS, config_lib.METHODS)
    example_files.forget("network", "plain", models.NETWORKS, config_lib.NETWORKS)


COMMANDS = [
    pytest.param(arguments, id=f"{documents.name(file)} {' '.join(arguments)}")
    for file in documents.DOCUMENTS
    for arguments in documents.commands(file)
]


def test_there_are_commands():
    assert len(COMMANDS) > 40


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")  # of ml_collections
@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_command_is_understood(arguments):
    assert command_lines.parse(["uaps-jax", *arguments]) == ["uaps-jax"]
    given = flags.CONFIG.value
    without_run = ("review", "serve")
    assert given is not None or flags.WORKDIR.value or flags.MODE.value in without_run
    if isinstance(given, Recipe):
        stage.checked(given, Path("run"))
    elif isinstance(given, Rounds):
        rounds.runs(given, Path("run"))
    elif given is not None and not isinstance(given, Study):
        config_lib.validate(given)


def own_flags():
    return {flag.name for flag in absl_flags.FLAGS.get_flags_for_module(flags)}


def test_the_reference_lists_all_flags_and_modes():
    page = (documents.PROJECT / "docs" / "reference" / "command_line.md").read_text()
    named = re.findall(r"^\| `--(\w+)", page, re.MULTILINE)
    assert set(named) == own_flags()
    modes = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert modes == list(dict.fromkeys(["train", *commands.COMMANDS]))


def test_every_method_has_a_page_and_is_in_the_readme():
    pages = {file.stem for file in (documents.PROJECT / "docs" / "methods").glob("*.md")}
    assert pages - {"index"} == set(methods.METHODS)
    assert set(methods.METHODS) <= set(documents.inline_code(documents.PROJECT / "README.md"))


@pytest.fixture(scope="module")
def known():
    """Key of a setting of any method or network -> its choices; empty for any value."""
    found = {}
    configs = [train.build(dataset="neu", method=method) for method in methods.METHODS]
    configs += [
        train.build(dataset="neu", method="supervised", network=network) for network in NETWORKS
    ]
    for config in configs:
        for key, field, _ in settings(config):
            choices = typing.get_args(field.type)
            is_choice = typing.get_origin(field.type) is typing.Literal
            found.setdefault(key, set()).update(choices if is_choice else ())
    return found


SECTIONS = "data|views|network|method|optimizer|train|checkpoint|evaluation"
SETTING = re.compile(rf"^(?:--config\.)?((?:{SECTIONS})\.[\w.]+)(?:=([\w.-]+))?$")


@pytest.mark.parametrize("file", documents.DOCUMENTS, ids=documents.name)
def test_settings_exist(file, known):
    sections = {key.rpartition(".")[0] for key in known}
    for text in documents.inline_code(file):
        if (found := SETTING.match(text)) and not text.endswith(".name"):
            key, value = found.groups()
            assert key in known or key in sections, f"{text}: there is no such setting"
            if value is not None and known[key]:
                assert value in known[key], text


@pytest.mark.parametrize("file", OF_THE_PROGRAM, ids=documents.name)
def test_flags_exist(file):
    for text in documents.inline_code(file):
        for flag in re.findall(r"(?:^| )--([a-z]\w*)", text):
            assert flag in {*own_flags(), *OTHERS}, text


@pytest.mark.parametrize("file", documents.DOCUMENTS, ids=documents.name)
def test_files_exist(file):
    for text in documents.inline_code(file):
        if re.fullmatch(r"(uaps_jax|configs|tests|examples|benchmarks)/[\w/.]+", text):
            assert (documents.PROJECT / text).exists(), text
