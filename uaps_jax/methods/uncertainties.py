"""The kinds of uncertainties, and those that can be exported besides the entropy."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp

from uaps_jax.losses import uncertainty
from uaps_jax.losses.aleatoric import LOG_VARIANCE_RANGE
from uaps_jax.methods.base import Predictor, Uncertainty, UncertaintyKind
from uaps_jax.models import resize
from uaps_jax.models.network import Network
from uaps_jax.trees import Tree

ENTROPY = UncertaintyKind("entropy", "nats", 1.0)
DIVERGENCE = UncertaintyKind("KL of the decoders", "nats", 1.0)
VARIANCE = UncertaintyKind("predicted variance", "squared logits", math.exp(LOG_VARIANCE_RANGE[1]))
KINDS = {kind.name: kind for kind in (ENTROPY, DIVERGENCE, VARIANCE)}


def kind_of(uncertainty: Uncertainty | None) -> UncertaintyKind:
    """The kind of an uncertainty; None is the entropy."""
    if uncertainty is None:
        return ENTROPY
    unknown = UncertaintyKind("uncertainty of the method", "", 1.0)
    kind: UncertaintyKind = getattr(uncertainty, "kind", unknown)
    return kind


def named(name: str) -> UncertaintyKind:
    """The kind of that name, of an exported file too."""
    return KINDS.get(name, UncertaintyKind(name, "", 1.0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Divergence:
    """An `Uncertainty`: the mean KL of several decoders to their mean, in nats.

    Attributes:
      predictor: its decoders are compared.
      perturb: whether the auxiliary decoders read perturbed features.
    """

    predictor: Predictor
    perturb: bool
    kind: ClassVar[UncertaintyKind] = DIVERGENCE

    def __call__(self, variables: Tree, images: jax.Array, key: jax.Array) -> jax.Array:
        """`[B, H, W]`, of images `[B, H, W, channels]` on the 0..255 scale."""
        logits = self.predictor.logits(variables, images, key if self.perturb else None)
        return uncertainty.kl_to_mean(logits).mean(0)

    def clean(self) -> Divergence:
        """The same without perturbed features, as it is exported."""
        return dataclasses.replace(self, perturb=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictedVariance:
    """An `Uncertainty`: the variance of the logits that heads predict, the mean of the networks.

    A head gives the logarithm of the variance, which is resized to the image and, as in the loss
    that trains it, clipped to `LOG_VARIANCE_RANGE` (Kendall and Gal 2017, Eq. 12: the noise of the
    data, which more training images do not reduce).

    Attributes:
      network: the architecture.
      normalize: images on the 0..255 scale to the input of the networks.
      networks: `variables -> networks`, each with the variables of one decoder and of its heads.
      head: name of the head, of one channel.
    """

    network: Network
    normalize: Callable[[jax.Array], jax.Array]
    networks: Callable[[Tree], Sequence[Tree]]
    head: str
    kind: ClassVar[UncertaintyKind] = VARIANCE

    def __call__(self, variables: Tree, images: jax.Array, key: jax.Array) -> jax.Array:
        """`[B, H, W]`, of images `[B, H, W, channels]` on the 0..255 scale."""
        x = self.normalize(images)
        maps = [self.of_network(network, x) for network in self.networks(variables)]
        return jnp.stack(maps).mean(0)[..., 0]

    def of_network(self, variables: Tree, images: jax.Array) -> jax.Array:
        """The variance of one network, `[B, H, W, 1]`, of normalised images."""
        (decoded,) = self.network.separate_outputs(variables, images)
        logarithm = resize.resize(decoded.heads[self.head], *images.shape[1:3])
        return jnp.exp(jnp.clip(logarithm, *LOG_VARIANCE_RANGE))

    def clean(self) -> PredictedVariance:
        """Itself: nothing is perturbed."""
        return self


Exportable = Divergence | PredictedVariance
