"""Methods by name; each file defines one method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uaps_jax import config as config_lib
from uaps_jax import external, models
from uaps_jax.config import Config, MethodConfig
from uaps_jax.methods import (
    augseg,
    bcp,
    cct,
    cpcl,
    cps,
    dct,
    dirichlet_match,
    dueb,
    fixmatch,
    mean_teacher,
    ppl,
    prevmatch,
    seam,
    self_training,
    supervised,
    u2pl,
    ua_mt,
    uaps,
    ucc,
    unimatch_v1,
    unimatch_v2,
    urn,
)
from uaps_jax.methods.base import Method
from uaps_jax.models.network import Network
from uaps_jax.trees import Tree

Build = Callable[[Config, Network, Any], Method]
"""`(config, network, config.method)` to the method."""

METHODS: dict[str, Build] = {}


def register(section: type[MethodConfig], build: Build) -> None:
    """Registers a method under the `name` of its section.

    If the calling file is outside the package, runs of the method store its path.

    Raises:
      TypeError: the types of the section's fields are strings.
      ValueError: the name is taken.
    """
    config_lib.require_types(section)
    external.record_file("method", section.name, METHODS)
    METHODS[section.name] = build
    config_lib.METHODS[section.name] = section


register(supervised.SupervisedConfig, supervised.build)
register(self_training.SelfTrainingConfig, self_training.build)
register(mean_teacher.MeanTeacherConfig, mean_teacher.build)
register(ua_mt.UaMtConfig, ua_mt.build)
register(cct.CctConfig, cct.build)
register(cps.CpsConfig, cps.build)
register(dct.DctConfig, dct.build)
register(ucc.UccConfig, ucc.build)
register(uaps.UapsConfig, uaps.build)
register(fixmatch.FixmatchConfig, fixmatch.build)
register(unimatch_v1.UnimatchV1Config, unimatch_v1.build)
register(unimatch_v2.UnimatchV2Config, unimatch_v2.build)
register(augseg.AugsegConfig, augseg.build)
register(bcp.BcpConfig, bcp.build)
register(prevmatch.PrevmatchConfig, prevmatch.build)
register(dirichlet_match.DirichletMatchConfig, dirichlet_match.build)
register(u2pl.U2plConfig, u2pl.build)
register(ppl.PplConfig, ppl.build)
register(urn.UrnConfig, urn.build)
register(seam.SeamConfig, seam.build)
register(cpcl.CpclConfig, cpcl.build)
register(dueb.DuebConfig, dueb.build)


def build(config: Config, weights: Tree | None = None) -> Method:
    """The method that `config.method` names, on the network that `config.network` describes.

    Args:
      config: of the run.
      weights: what its networks start from in place of drawn values (`Network.init`).
    """
    network = models.build(config, config.method.heads(config), weights)
    return METHODS[config.method.name](config, network, config.method)
