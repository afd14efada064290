"""Runs Python files by their path, such as configuration files."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def run_file(file: Path, name: str) -> ModuleType:
    """Runs a file as the module `name` and adds the module to `sys.modules`.

    Raises:
      ImportError: it is not a Python file.
      Exception: any exception that the file raises.
    """
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
