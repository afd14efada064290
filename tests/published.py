"""The files of `configs/`, by what their `get_config` returns."""

import importlib
from pathlib import Path

from uaps_jax.config import Config

FOLDER = Path(__file__).resolve().parents[1] / "configs"
EVERY = {
    file.stem: importlib.import_module(f"uaps_jax.configs.{file.stem}")
    for file in sorted(FOLDER.glob("[!_]*_*.py"))
}
TRAININGS = [name for name, module in EVERY.items() if isinstance(module.get_config(), Config)]
RECIPES = [name for name in EVERY if name not in TRAININGS]
