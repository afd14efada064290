"""The files of `examples/`, as an external author has them: copied, and imported as modules."""

import importlib.util
import sys
from pathlib import Path

from uaps_jax import external

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def code(name: str) -> str:
    """The text of an example."""
    return (EXAMPLES / name).read_text()


def imported(name: str, file: Path):
    """An example, copied to a file and imported as a module of the file's name."""
    file.write_text(code(name))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def forget(kind: str, name: str, *tables: dict) -> None:
    """As in a new process that has not read the file: no table knows the name."""
    for table in tables:
        table.pop(name, None)
    external.FILES.pop((kind, name), None)
