"""Uncertainty of pseudo-labels by response scaling (URN: Li et al. 2022).

The probability of one class is raised to several powers, which widen or narrow the region where it
is the largest, and a CRF decides anew; pixels that change their class are uncertain. Without a CRF
each pixel decides alone, and with two classes this is a threshold of the largest probability: with
`VOC_SCALES`, the variance is 0.25 where it is below 0.7245, and 0 where it is above 0.7908. With
more classes it depends on all probabilities of the pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from uaps_jax.config import Form
from uaps_jax.crf.mean_field import LEAST_PROBABILITY, Pairwise, mean_field, unary_energy

VOC_SCALES = (0.15, 0.2, 0.25, 4.0, 5.0, 6.0)
"""Powers that URN uses on PASCAL VOC."""

COCO_SCALES = (0.4, 0.5, 0.6, 2.0, 3.0, 4.0)
"""Powers that URN uses on COCO."""

EXCLUDED_ENERGY = 1e4
"""The energy of a class that cannot be chosen: its marginal is exactly 0."""

WeightForm = Literal["hard", "soft"]


class ScaledResponses(NamedTuple):
    """The pseudo-labels of an image, and how uncertain they are.

    Attributes:
      mask: class ids, int32 `[H, W]`, the cyclic pseudo-mask.
      variance: max_c Var_n B_cn, float32 `[H, W]`; at most 0.25.
    """

    mask: jax.Array
    variance: jax.Array


def scaled_responses(
    probabilities: jax.Array,
    tags: jax.Array,
    terms: Sequence[Pairwise],
    *,
    iterations: int,
    scales: Sequence[float],
    form: Form,
) -> ScaledResponses:
    """Pseudo-labels and their variance under response scaling.

    M = argmax_c CRF(X)_c. For every examined class c and power n, X^cn is X with X_c^n in place of
    X_c, B_cn(i) = [argmax_k CRF(X^cn)_k(i) = c], and V_c(i) = Var_n B_cn(i). The variance is
    U = max_c V_c. In X^cn classes that are not examined cannot be chosen.

    "released" examines the classes of M, whatever the image contains. "repaired" examines the
    background and the classes of the image, also those that M has lost, and no other class can be
    in M.

    Args:
      probabilities: X, the mean over views, `[H, W, C]`.
      tags: classes that are in the image, bool `[C]`; used by "repaired" only.
      terms: kernels of the image; none for no CRF.
      iterations: of mean field.
      scales: the powers n, two or more.
      form: see above.

    Raises:
      ValueError: fewer than two scales.
    """
    _check(scales)
    background = jnp.arange(probabilities.shape[-1]) == 0
    energy = unary_energy(probabilities)
    if form == "repaired":
        examined = tags | background
        mask = _labels(_restricted(energy, examined), terms, iterations)
    else:
        mask = _labels(energy, terms, iterations)
        examined = (mask[..., None] == jnp.arange(background.size)[None, None]).any((0, 1))
    energy = _restricted(energy, examined)
    powers = jnp.asarray(scales, jnp.float32)

    def variance(number: jax.Array) -> jax.Array:
        """V_c of a class."""
        is_class = jnp.arange(background.size) == number

        def chosen(power: jax.Array) -> jax.Array:
            """B_cn."""
            scaled = scaled_energy(probabilities, power)
            own = jnp.where(is_class[None, None], scaled, energy)
            return _labels(own, terms, iterations) == number

        share = jax.vmap(chosen)(powers).astype(jnp.float32).mean(0)
        return share * (1 - share)

    def variance_or_none(number: jax.Array) -> jax.Array:
        none = jnp.zeros(mask.shape, jnp.float32)
        return jax.lax.cond(examined[number], variance, lambda _: none, number)

    # One class after another: those that are not examined take no time.
    variances = jax.lax.map(variance_or_none, jnp.arange(background.size))
    return ScaledResponses(mask, variances.max(0))


def scaled_energy(probabilities: jax.Array, power: jax.Array) -> jax.Array:
    """-log max(p^n, 1e-5) = min(-n log p, 11.51), of the shape of the probabilities."""
    most = -jnp.log(jnp.float32(LEAST_PROBABILITY))
    return jnp.minimum(-power * jnp.log(probabilities.astype(jnp.float32)), most)


def stored_weights(variance: jax.Array, scales: Sequence[float], form: Form) -> jax.Array:
    """W = floor(255 (1 - U')), the weight of each pixel as 8 bits, uint8 `[H, W]`.

    "released": U' = (U - min U) / (max U - min U + 1e-6) over the image, so that its most uncertain
    pixels have weight 0 whatever their variance. "repaired": U' = U / max Var, with the largest
    variance that so many scales can have (0.25 for an even number), the same for all images.

    Args:
      variance: U, `[H, W]`.
      scales: those of the variance.
      form: see above.

    Raises:
      ValueError: fewer than two scales.
    """
    _check(scales)
    if form == "released":
        low = variance.min()
        share = (variance - low) / (variance.max() - low + 1e-6)
    else:
        count = len(scales)
        share = variance / ((count // 2) * (count - count // 2) / count**2)
    return jnp.floor(255 * (1 - share) + 1e-3).astype(jnp.uint8)


def loss_weights(weight: jax.Array, form: WeightForm, least: float) -> jax.Array:
    """y, the factor of each pixel's loss, of the shape of the weights.

    "hard" (URN) is y = `least` where w <= `least`, else 1; "soft" is
    y = max(`least`, w).

    Args:
      weight: w = W / 255, from 0 to 1.
      form: see above.
      least: 0.05 as published.
    """
    if form == "hard":
        return jnp.where(weight <= least, least, 1.0)
    return jnp.maximum(weight, least)


def _check(scales: Sequence[float]) -> None:
    if len(scales) < 2:
        raise ValueError(f"scales = {tuple(scales)}: needs two or more scales, such as VOC_SCALES")


def _restricted(energy: jax.Array, classes: jax.Array) -> jax.Array:
    """Energies `[H, W, C]` with which only the classes of bool `[C]` can be chosen."""
    return jnp.where(classes[None, None], energy, EXCLUDED_ENERGY)


def _labels(energy: jax.Array, terms: Sequence[Pairwise], iterations: int) -> jax.Array:
    """The likeliest class under the CRF, int32 `[H, W]`; without terms that of least energy."""
    if not terms:
        return energy.argmin(-1).astype(jnp.int32)
    return mean_field(energy, terms, iterations).argmax(-1).astype(jnp.int32)
