"""The score of an image: how much of a defect its probabilities show.

The defect probability of a pixel is 1 minus that of the background. The score is, by
`ScoreRule.kind`,

* "top": the sum of the k largest defect probabilities, divided by k; in [0, 1]. An image of fewer
  than k pixels counts as if the others were 0;
* "area": the number of pixels whose defect probability is above a pixel threshold.

With a minimum area a of a defect, only pixels count that are above the pixel threshold and lie in a
region of at least a of them. Areas are in pixels of the network's input: with `data.fit` "crop" and
"pad" those of the photograph at `data.scale`.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax.config import DecisionConfig, ScoreKind
from uaps_jax.evaluation import regions


@dataclass(frozen=True, kw_only=True)
class ScoreRule:
    """How an image is scored.

    Attributes:
      kind: see above.
      top_pixels: k of "top".
      pixel_threshold: a pixel with a larger defect probability is marked.
      minimum_area: of a region of marked pixels that counts; 0 or 1: none is too small, and with
        "top" pixels that are not marked count as well.
    """

    kind: ScoreKind
    top_pixels: int
    pixel_threshold: float
    minimum_area: int

    @property
    def has_minimum(self) -> bool:
        """Whether small regions are left out."""
        return self.minimum_area > 1

    def words(self) -> str:
        """The rule as a part of a sentence."""
        what = (
            f"mean of the {self.top_pixels} largest defect probabilities"
            if self.kind == "top"
            else f"number of pixels with a defect probability above {self.pixel_threshold:g}"
        )
        if not self.has_minimum:
            return what
        return f"{what}, of regions of at least {self.minimum_area} px above " + (
            f"{self.pixel_threshold:g}" if self.kind == "top" else "it"
        )


def rule_of(settings: DecisionConfig) -> ScoreRule:
    """The rule of the settings `evaluation.decision`."""
    return ScoreRule(
        kind=settings.score,
        top_pixels=settings.top_pixels,
        pixel_threshold=settings.pixel_threshold,
        minimum_area=settings.minimum_area,
    )


def score(probabilities: np.ndarray, rule: ScoreRule, known: np.ndarray | None = None) -> float:
    """The score of one image.

    Args:
      probabilities: of the classes, background first, `[H, W, C]`.
      rule: how to score.
      known: bool `[H, W]`, the pixels that count; None for all of them.
    """
    defect = 1 - probabilities[..., 0]
    if known is not None:
        defect = np.where(known, defect, 0)
    marked = ~(defect <= np.float32(rule.pixel_threshold))  # NaN, too
    if rule.has_minimum:
        marked = regions.in_large_regions(marked, rule.minimum_area)
        defect = np.where(marked, defect, 0)
    if rule.kind == "area":
        return float(marked.sum())
    values, k = defect.ravel(), rule.top_pixels
    largest = np.partition(values, -k)[-k:] if len(values) > k else values
    return float(largest.sum(dtype=np.float64) / k)


def scores(probabilities: jax.Array, rule: ScoreRule, known: jax.Array | None = None) -> jax.Array:
    """The scores of a batch, float32 `[N]`, as a function that can be compiled.

    Args:
      probabilities: `[N, H, W, C]`.
      rule: how to score.
      known: bool `[N, H, W]`, or None for all.
    """
    defect = 1 - probabilities[..., 0].astype(jnp.float32)
    if known is not None:
        defect = jnp.where(known, defect, 0)
    marked = ~(defect <= rule.pixel_threshold)  # NaN, too
    if rule.has_minimum:
        marked = regions.batch_in_large_regions(marked, rule.minimum_area)
        defect = jnp.where(marked, defect, 0)
    if rule.kind == "area":
        return marked.sum((1, 2)).astype(jnp.float32)
    values = defect.reshape(defect.shape[0], defect.shape[1] * defect.shape[2])
    values = jnp.pad(values, ((0, 0), (0, rule.top_pixels)))  # for images of fewer than k pixels
    return jax.lax.top_k(values, rule.top_pixels)[0].sum(-1) / rule.top_pixels
