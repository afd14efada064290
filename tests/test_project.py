"""Rules of the project: layers of modules, the README's commands, committed files."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PROJECT = Path(__file__).resolve().parents[1]


def test_ci_runs_the_readmes_test_command():
    commands = [
        line.strip()
        for line in (PROJECT / "README.md").read_text().splitlines()
        if line.strip().startswith("python3 -m venv")
    ]
    assert len(commands) == 2
    tools = ("ruff check .", "ruff format --check .", "mypy", "python -m pytest")
    assert commands[1].endswith(" && ".join(f".venv/bin/{tool}" for tool in tools))
    assert commands[1] in (PROJECT / ".ci" / "run").read_text().splitlines()


# A module may import from its own layer and from those listed behind it.
LAYERS = {
    "labels": set(),
    "stream": set(),
    "trees": set(),
    "compiler": set(),
    "files": set(),
    "stop_signals": set(),
    "child_process": {"stop_signals"},
    "local_http": set(),
    "modules": set(),
    "datasets": {"labels"},
    "palette": {"datasets", "labels"},
    "config": {"labels"},
    "configuration_files": {"config", "modules"},
    "external": {"config", "modules"},
    "acquisition": {"labels"},
    "losses": {"labels"},
    "crf": {"config"},
    "weak_supervision": {"config", "crf"},
    "weights": {"config"},
    "transforms": {"config", "labels"},
    "models": {"config", "external", "trees", "weights"},
    "data": {"config", "datasets", "files", "labels", "stream"},
    "methods": {
        "config",
        "labels",
        "losses",
        "models",
        "external",
        "stream",
        "transforms",
        "trees",
        "weak_supervision",
    },
    "evaluation": {"compiler", "config", "data", "labels", "losses", "trees"},
    "training": {
        "compiler",
        "config",
        "data",
        "datasets",
        "evaluation",
        "files",
        "methods",
        "models",
        "external",
        "palette",
        "stop_signals",
        "stream",
        "trees",
        "weights",
    },
    "inference": {
        "acquisition",
        "compiler",
        "config",
        "crf",
        "data",
        "datasets",
        "evaluation",
        "files",
        "labels",
        "methods",
        "models",
        "palette",
        "training",
        "trees",
    },
    "serving": {"config", "data", "inference", "local_http", "training"},
    "reports": {
        "annotation_queue",
        "data",
        "datasets",
        "evaluation",
        "inference",
        "labels",
        "methods",
        "palette",
    },
    "study": {
        "child_process",
        "compiler",
        "config",
        "configuration_files",
        "data",
        "evaluation",
        "files",
        "methods",
        "models",
        "modules",
        "recipes",
        "reports",
        "training",
    },
    "recipes": {
        "acquisition",
        "child_process",
        "compiler",
        "config",
        "crf",
        "data",
        "datasets",
        "evaluation",
        "external",
        "files",
        "inference",
        "labels",
        "methods",
        "models",
        "palette",
        "reports",
        "training",
        "trees",
        "weak_supervision",
        "weights",
    },
    "annotations": {"datasets", "files", "labels", "palette"},
    "annotation_queue": {
        "acquisition",
        "annotations",
        "config",
        "data",
        "datasets",
        "files",
        "inference",
        "labels",
        "methods",
    },
    "review": {
        "annotation_queue",
        "annotations",
        "config",
        "datasets",
        "files",
        "labels",
        "local_http",
        "palette",
        "stop_signals",
    },
    "commands": {
        "acquisition",
        "annotation_queue",
        "annotations",
        "child_process",
        "config",
        "data",
        "datasets",
        "evaluation",
        "files",
        "inference",
        "labels",
        "methods",
        "models",
        "recipes",
        "reports",
        "review",
        "serving",
        "study",
        "training",
        "trees",
    },
    "command_line": {
        "child_process",
        "commands",
        "compiler",
        "config",
        "configuration_files",
        "files",
        "recipes",
        "study",
        "training",
    },
    "configs": {
        "acquisition",
        "config",
        "losses",
        "methods",
        "models",
        "recipes",
        "study",
        "weak_supervision",
    },
}


def modules():
    """The files of the package, `uaps_jax/configs` and `uaps_jax/datasets` included."""
    package = PROJECT / "uaps_jax"
    for top in (package, package / "configs", package / "datasets"):
        yield from sorted(top.rglob("*.py"))


def imported_layers(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts == ["uaps_jax"]:
                yield from (alias.name for alias in node.names)
            elif parts[0] == "uaps_jax":
                yield parts[1]


def test_modules_import_only_from_lower_layers():
    for file in modules():
        layer = file.relative_to(PROJECT / "uaps_jax").parts[0].removesuffix(".py")
        if layer == "__init__":
            continue  # its functions are those of the top layers
        for imported in imported_layers(file):
            assert imported in LAYERS[layer] | {layer}, f"{file} imports uaps_jax.{imported}"


def private_names(file):
    """The names with a leading underscore that a file takes from other modules."""
    tree = ast.parse(file.read_text())
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom):
                yield from (alias.name for alias in node.names if is_private(alias.name))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in imported
            and is_private(node.attr)
        ):
            yield f"{node.value.id}.{node.attr}"


def is_private(name):
    return name.startswith("_") and not name.endswith("__")


def test_no_module_uses_private_names_of_another():
    files = (*modules(), *(PROJECT / "benchmarks").rglob("*.py"), PROJECT / "run.py")
    used = {str(file): list(private_names(file)) for file in files}
    allowed = {"os._exit"}  # documented, in spite of its name
    assert {file: names for file, names in used.items() if set(names) - allowed} == {}


TAKEN = ("configs", "datasets")
"""Names that other packages have as well: `datasets` is that of Hugging Face."""


def bare_names(text):
    """The lines that name a module of the package without the package in front."""
    names = "|".join(TAKEN)
    pattern = rf"""^\s*["']?(import|from) ({names})\b|["'`]({names})\.(\w+\.\w|{{)|-m ({names})\."""
    return [line for line in text.splitlines() if re.search(pattern, line)]


def test_the_pattern_finds_bare_names():
    for line in (
        "import datasets",
        "    from configs.parts import views",
        '"from datasets import pieces"',
        'import_module(f"datasets.{base}.{base}_dataset_builder")',
        'import_module("configs.studies.base")',
        "python -m datasets.neu_seg.find_groups",
    ):
        assert bare_names(line) == [line]
    for line in (
        "from uaps_jax import datasets",
        "config = datasets.neu_seg()",
        "import datasetsx",
    ):
        assert bare_names(line) == []


def test_modules_are_imported_by_their_names_in_the_package():
    files = [
        file
        for folder in ("benchmarks", "configs", "datasets", "docs", "examples", "tests", "uaps_jax")
        for file in (PROJECT / folder).rglob("*")
        if file.suffix in (".py", ".md") and file != Path(__file__)
    ]
    assert len(files) > 300
    named = {file: bare_names(file.read_text()) for file in (*files, *PROJECT.glob("*.md"))}
    assert {file: lines for file, lines in named.items() if lines} == {}


def test_dependencies_are_lists_that_the_package_can_read():
    dynamic = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["setuptools"][
        "dynamic"
    ]
    read = [dynamic["dependencies"], *dynamic["optional-dependencies"].values()]
    files = [file for entry in read for file in entry["file"]]
    names = ("cpu", "cuda", "docs", "pretrained", "test")
    assert files == [f"requirements-{name}.txt" for name in names]
    for file in files:
        for line in (PROJECT / file).read_text().splitlines():
            assert line.startswith("#") or Requirement(line), f"{file}: {line}"


def test_the_package_brings_every_file():
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert settings["packages"]["find"]["include"] == ["uaps_jax*"]
    suffixes = {Path(name).suffix for name in settings["package-data"]["*"]}
    package = PROJECT / "uaps_jax"
    for top in (package, package / "configs", package / "datasets"):
        for file in top.rglob("*"):
            if file.suffix == ".pyc" or file.is_dir():
                continue
            assert (file.parent / "__init__.py").is_file(), f"{file} is in no package"
            assert file.suffix in {".py", *suffixes} or file.name == "py.typed", file


def test_nothing_is_too_large_or_of_the_raw_data():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        assert not name.endswith((".zip", ".npz", ".jpg", ".mat")), name
        if name.endswith(".png"):
            assert name.startswith("docs/"), name


def test_the_tests_that_the_documents_name_exist():
    text = (PROJECT / "docs" / "reliability.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > 20
    assert not re.search(r"[A-Z]{4,}\n", text), "a figure is missing"
    for file, test in named:
        assert f"def {test}(" in (PROJECT / file).read_text(), f"{file}::{test}"
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert [row for row in rows if row.isdigit()] == [str(number) for number in range(1, 21)]
