"""Methods by name: each file is one method, a few pure functions on the shared parts."""

from __future__ import annotations

from collections.abc import Callable

from uaps_jax.config import Config
from uaps_jax.methods import supervised, uaps
from uaps_jax.methods.base import Method

METHODS: dict[str, Callable[[Config], Method]] = {
    "supervised": supervised.build,
    "uaps": uaps.build,
}


def build(config: Config) -> Method:
    """The method that `config.method` names, on the model that `config.model` describes."""
    return METHODS[config.method.name](config)
