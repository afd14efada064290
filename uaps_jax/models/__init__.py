"""Networks as pure functions of their variables; they know nothing of methods.

Each family of networks is a file with its settings, which are known by their `name`.
"""

from __future__ import annotations

from uaps_jax import config as config_lib
from uaps_jax.config import NetworkConfig
from uaps_jax.models import unet


def register(section: type[NetworkConfig]) -> None:
    """Makes a family of networks known by its section's `name`.

    Raises:
      TypeError: the types of its fields are texts.
    """
    config_lib.require_types(section)
    config_lib.NETWORKS[section.name] = section


register(unet.UNetConfig)
