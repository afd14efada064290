"""The code blocks of the README, as files."""

import importlib.util
import re
import sys
from pathlib import Path

from uaps_jax import outside

README = Path(__file__).resolve().parents[1] / "README.md"


def code(section: str) -> str:
    """The first Python block below a heading."""
    text = README.read_text().split(f"## {section}\n")[1]
    result = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert result
    return result.group(1)


def imported(section: str, file: Path):
    """That block, written to a file and imported as a module of the file's name."""
    file.write_text(code(section))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def forget(kind: str, name: str, *tables: dict) -> None:
    """As in a new process that has not read the block: no table knows the name."""
    for table in tables:
        table.pop(name, None)
    outside.FILES.pop((kind, name), None)
