"""The uncertainties of predictions that can be exported, but for the entropy."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp

from uaps_jax.losses import uncertainty
from uaps_jax.methods.base import Predictor
from uaps_jax.models import resize
from uaps_jax.models.network import Network
from uaps_jax.trees import Tree


@dataclasses.dataclass(frozen=True, kw_only=True)
class Divergence:
    """An `Uncertainty`: the mean KL of several decoders to their mean, in nats.

    Attributes:
      predictor: its decoders are compared.
      perturb: whether the auxiliary decoders read perturbed features.
    """

    predictor: Predictor
    perturb: bool
    name: ClassVar[str] = "KL of the decoders"
    words: ClassVar[str] = "the mean KL divergence of the decoders to their mean, in nats"

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

    A head gives the logarithm of the variance, which is resized to the image (Kendall and Gal 2017,
    Sec. 3.1: the noise of the data, which more images do not remove).

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
    name: ClassVar[str] = "predicted variance"
    words: ClassVar[str] = "the predicted variance of the logits, the mean of the networks"

    def __call__(self, variables: Tree, images: jax.Array, key: jax.Array) -> jax.Array:
        """`[B, H, W]`, of images `[B, H, W, channels]` on the 0..255 scale."""
        del key
        x = self.normalize(images)
        maps = [self.of_network(network, x) for network in self.networks(variables)]
        return jnp.stack(maps).mean(0)[..., 0]

    def of_network(self, variables: Tree, images: jax.Array) -> jax.Array:
        """The variance of one network, `[B, H, W, 1]`, of normalised images."""
        (decoded,) = self.network.separate_outputs(variables, images)
        return jnp.exp(resize.resize(decoded.heads[self.head], *images.shape[1:3]))

    def clean(self) -> PredictedVariance:
        """Itself: nothing is perturbed."""
        return self


Exportable = Divergence | PredictedVariance
