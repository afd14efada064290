"""FixMatch (Sohn et al. 2020) for segmentation, with an EMA teacher f' and CutMix.

For labeled (x, y) and a weak and a strong view w, s of an unlabeled image:

    q     = softmax f'(w),     y_hat = argmax_c q_c,     m = [max_c q_c >= tau]
    L     = 1/2 [CE(f(x), y) + Dice(f(x), y)]
            + lambda r(t) 1/2 [sum m CE(f(s), y_hat) / N + Dice_m]

N is the number of pixels, r(t) = 1 by default, and Dice_m leaves out pixels with m = 0. In s, with
probability `cutmix`, a box comes from the next image, and y_hat and m with it. UniMatch's version
has no teacher: f' = f.
"""

from dataclasses import dataclass
from typing import ClassVar

from uaps_jax.config import Config
from uaps_jax.methods import weak_to_strong
from uaps_jax.methods.base import Method
from uaps_jax.models.network import Network


@dataclass(slots=True, kw_only=True)
class FixmatchConfig(weak_to_strong.WeakToStrongConfig):
    name: ClassVar[str] = "fixmatch"


def build(config: Config, network: Network, options: FixmatchConfig) -> Method:
    return weak_to_strong.build(config, network, options, strong=1)
