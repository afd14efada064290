"""Networks as pure functions of their variables, independent of methods.

Each file defines one family: its settings, its modules, and a function that builds a `Network`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import jax

from uaps_jax import config as config_lib
from uaps_jax import external
from uaps_jax.config import Config, ConfigError, Head, NetworkConfig
from uaps_jax.models import deeplabv3plus, fpn, pspnet, unet, unet_decoder
from uaps_jax.models.network import Network
from uaps_jax.trees import Tree

Build = Callable[[Config, Mapping[str, Head]], Network]
NETWORKS: dict[str, Build] = {}


def register(section: type[NetworkConfig], build: Build) -> None:
    """Registers a family of networks under the `name` of its section.

    If the calling file is outside the package, runs with the network store its path.

    Raises:
      TypeError: the types of the section's fields are strings.
      ValueError: the name is taken.
    """
    config_lib.require_types(section)
    external.record_file("network", section.name, NETWORKS)
    NETWORKS[section.name] = build
    config_lib.NETWORKS[section.name] = section


register(unet.UNetConfig, unet.build)
register(unet_decoder.UNetDecoderConfig, unet_decoder.build)
register(deeplabv3plus.DeepLabV3PlusConfig, deeplabv3plus.build)
register(pspnet.PSPNetConfig, pspnet.build)
register(fpn.FPNConfig, fpn.build)


def build(config: Config, heads: Mapping[str, Head], weights: Tree | None = None) -> Network:
    """The network that `config.network` describes, with the extra heads.

    Args:
      config: of the run.
      heads: extra heads, by name.
      weights: what `Network.init` takes in place of drawn values.

    Raises:
      ConfigError: `network.dtype` is float64 and JAX_ENABLE_X64 is not set.
    """
    if config.network.dtype == "float64" and not jax.config.read("jax_enable_x64"):
        raise ConfigError("network.dtype = 'float64': set JAX_ENABLE_X64=1 for it")
    network = NETWORKS[config.network.name](config, heads)
    return dataclasses.replace(network, weights=weights)
