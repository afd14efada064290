"""Weak-to-strong learning with UAPS's decoders.

As `fixmatch`, with a student f and an EMA teacher f' of K decoders each. For a weak view w and
strong views s_v of an unlabeled image:

    q     = sum_k beta_k p'_k(w),     beta ~ Dirichlet(1, ..., 1), once a step     (UAPS, Sec. 3)
    U     = mean_k KL(mean_j p'_j(w) || p'_k(w)) per pixel
    y_hat = argmax_c q_c,     m = [max_c q_c >= tau] exp(-U)
    L     = mean_k l(f_k(x), y) + lambda r(t) mean_{v,k} l_m(f_k(s_v), y_hat)

The student's auxiliary decoders read perturbed features, as in UAPS; the teacher's read clean ones.
With two strong views, their features may lose complementary channels, as in `unimatch_v2`. Boxes
from labeled images may be pasted into strong views, as in AugSeg and BCP.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.losses import consistency, uncertainty
from uaps_jax.methods import unimatch_v2, weak_to_strong
from uaps_jax.methods.base import Method
from uaps_jax.models.network import Network

Mixing = Literal["dirichlet", "mean", "main"]


@dataclass(slots=True, kw_only=True)
class DirichletMatchConfig(unimatch_v2.UnimatchV2Config):
    name: ClassVar[str] = "dirichlet_match"
    auxiliary: ClassVar[tuple[float, float]] = (0, math.inf)

    strong_views: int = field(metadata=c.within(1, 2))
    mixing: Mixing  # of the teacher's decoders in the pseudo-label
    discount: bool  # whether pixels are weighted by exp(-U)

    def problems(self, config: Config) -> Iterator[str]:
        yield from unimatch_v2.UnimatchV2Config.problems(self, config)
        yield from c.check(
            config,
            "method.channel_dropout",
            self.channel_dropout == 0 or self.strong_views == 2,
            "needs method.strong_views = 2; set it to 0",
        )


def mixed_prediction(
    logits: jax.Array, key: jax.Array, mixing: Mixing, discount: bool
) -> tuple[jax.Array, jax.Array]:
    """q `[B, H, W, C]` and the weight exp(-U), or 1, `[B, H, W]`, from logits `[K, B, H, W, C]`."""
    if mixing == "main":
        q = jax.nn.softmax(logits[0])
    else:
        beta = consistency.mixing_weights(mixing, key, logits)
        q = consistency.mixed_probabilities(logits, beta)
    if not discount:
        return q, jnp.ones_like(q[..., 0])
    return q, jnp.exp(-uncertainty.kl_to_mean(logits).mean(0))


def build(config: Config, network: Network, options: DirichletMatchConfig) -> Method:
    return weak_to_strong.build(
        config,
        network,
        options,
        strong=options.strong_views,
        change=unimatch_v2.change_of(options.channel_dropout),
        teach=partial(mixed_prediction, mixing=options.mixing, discount=options.discount),
    )
