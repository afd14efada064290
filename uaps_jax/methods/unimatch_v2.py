"""UniMatch V2 (Yang et al., TPAMI 2025): two strong views with complementary channel dropout.

As `fixmatch`, with two strong views s_1, s_2 of every unlabeled image. At every level of the
encoder's pyramid their features are multiplied by

    m_1 = 2 Bernoulli(1/2) per image and channel,     m_2 = 2 - m_1

for half of the images, drawn anew at every step; those of the other images stay as they are. The
unlabeled loss is the mean over both views. The published encoder has one width and one mask for all
levels; here each level has its own. Published: AdamW on DINOv2, tau = 0.95, a loss divided by 2,
which Adam does not see.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.methods import weak_to_strong
from uaps_jax.methods.base import Method
from uaps_jax.models.interfaces import Change, Pyramid
from uaps_jax.models.network import Network


@dataclass(slots=True, kw_only=True)
class UnimatchV2Config(weak_to_strong.WeakToStrongConfig):
    name: ClassVar[str] = "unimatch_v2"

    # share of the images whose features are dropped
    channel_dropout: float = field(metadata=c.probability())


def complementary_dropout(key: jax.Array, pyramid: Pyramid, share: float) -> Pyramid:
    """Multiplies the features of two views by complementary masks.

    Args:
      key: of this step.
      pyramid: levels `[B, parts, H, W, C]`; parts 1 and 2 are the two views, part 0 stays.
      share: of the images, rounded up to a whole number of them.
    """
    mask_key, image_key = jax.random.split(key)
    count = len(pyramid[0])
    order = jax.random.permutation(image_key, count)
    dropped = (order < math.ceil(share * count))[:, None]
    changed = []
    for level, z in enumerate(pyramid):
        level_key = jax.random.fold_in(mask_key, level)
        first = 2.0 * jax.random.bernoulli(level_key, 0.5, (count, z.shape[-1]))
        first = jnp.where(dropped, first, 1.0)
        masks = jnp.stack([jnp.ones_like(first), first, 2 - first], axis=1).astype(z.dtype)
        changed.append(z * masks[:, :, None, None, :])
    return changed


def change_of(share: float) -> Change | None:
    """`complementary_dropout` of a share of the images; None if it is 0."""
    if not share:
        return None
    return lambda key, pyramid: complementary_dropout(key, pyramid, share)


def build(config: Config, network: Network, options: UnimatchV2Config) -> Method:
    change = change_of(options.channel_dropout)
    return weak_to_strong.build(config, network, options, strong=2, change=change)
