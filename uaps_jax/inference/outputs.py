"""What an exported model computes."""

from __future__ import annotations

import jax

from uaps_jax.config import ConfigError
from uaps_jax.methods.base import Predictor
from uaps_jax.methods.uncertainties import Exportable
from uaps_jax.trees import Tree


class ExportError(ConfigError):
    """What cannot be exported, or a file that computes other numbers than its checkpoint."""


def outputs(
    predictor: Predictor, uncertainty: Exportable | None, variables: Tree, images: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Probabilities `[N, h, w, C]` and the uncertainty `[N, h, w]`.

    Args:
      predictor: of the method.
      uncertainty: the uncertainty, on clean features; None for the entropy of the probabilities.
      variables: of the checkpoint.
      images: `[N, h, w, channels]` on the 0..255 scale.
    """
    probabilities = predictor(variables, images)
    if uncertainty is None:
        return probabilities, jax.scipy.special.entr(probabilities).sum(-1)
    return probabilities, uncertainty(variables, images, jax.random.key(0))
