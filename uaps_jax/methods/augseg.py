"""AugSeg (Zhao et al., CVPR 2023): boxes from labeled images in what the teacher is unsure of.

As `fixmatch`. With probability 1 - rho_n, rho_n the mean confidence of image n over its pixels,

    s_n <- M x_n + (1 - M) s_n,     y_hat_n <- M y_n + (1 - M) y_hat_n,     m_n <- M + (1 - M) m_n

with a random box M and the labeled image (x_n, y_n) of the same place in the batch. Published:
EMA 0.999, tau = 0.95, one to three random changes of intensity in a strong view.
"""

from dataclasses import dataclass
from typing import ClassVar

from uaps_jax.config import Config
from uaps_jax.methods import weak_to_strong
from uaps_jax.methods.base import Method
from uaps_jax.models.network import Network


@dataclass(slots=True, kw_only=True)
class AugsegConfig(weak_to_strong.WeakToStrongConfig):
    name: ClassVar[str] = "augseg"


def build(config: Config, network: Network, options: AugsegConfig) -> Method:
    return weak_to_strong.build(config, network, options, strong=1)
