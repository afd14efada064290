"""Python files that are run by their path, as configuration files are."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def run_file(file: Path, name: str) -> ModuleType:
    """Runs a file as a module of a name, by which `sys.modules` has it afterwards.

    Raises:
      ImportError: it is no Python file.
      Exception: whatever the file raises.
    """
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
