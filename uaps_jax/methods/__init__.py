"""Methods by name: each file is one method, a few pure functions on the shared parts."""

from __future__ import annotations

from collections.abc import Callable

from uaps_jax import config as config_lib
from uaps_jax import models, outside
from uaps_jax.config import Config, MethodConfig
from uaps_jax.methods import (
    cct,
    cpcl,
    cps,
    dct,
    dueb,
    mean_teacher,
    supervised,
    ua_mt,
    uaps,
    ucc,
)
from uaps_jax.methods.base import Method
from uaps_jax.models.network import Network

Build = Callable[[Config, Network], Method]
METHODS: dict[str, Build] = {}


def register(section: type[MethodConfig], build: Build) -> None:
    """Makes a method known by its section's `name`.

    A run of the method remembers the file that calls this, if it is none of the package.

    Raises:
      TypeError: the types of its fields are texts.
    """
    config_lib.require_types(section)
    METHODS[section.name] = build
    config_lib.METHODS[section.name] = section
    outside.remember("method", section.name)


register(supervised.SupervisedConfig, supervised.build)
register(mean_teacher.MeanTeacherConfig, mean_teacher.build)
register(ua_mt.UaMtConfig, ua_mt.build)
register(cct.CctConfig, cct.build)
register(cps.CpsConfig, cps.build)
register(dct.DctConfig, dct.build)
register(ucc.UccConfig, ucc.build)
register(uaps.UapsConfig, uaps.build)
register(cpcl.CpclConfig, cpcl.build)
register(dueb.DuebConfig, dueb.build)


def build(config: Config) -> Method:
    """The method that `config.method` names, on the network that `config.network` describes."""
    network = models.build(config, type(config.method).heads)
    return METHODS[config.method.name](config, network)
