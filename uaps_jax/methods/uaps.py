"""UAPS: uncertainty-aware, dynamically mixed pseudo-labels (Sime et al., Comput. Ind. 2023).

One encoder, K decoders. In the paper's symbols, for labeled (x, y) and unlabeled u:

    L_sup  = 1/K sum_k 1/2 [CE(f_k(x), y) + Dice(p_k(x), y)]
    y_hat  = argmax_c sum_k beta_k p_k(u),          beta ~ Dirichlet(1, ..., 1), once a step
    D_k    = KL(mean_j p_j(u) || p_k(u))            per pixel
    L_ups  = 1/K sum_k 1/2 [CE(f_k(u), y_hat) + Dice(p_k(u), y_hat)] * mean exp(-D_k)
    L_un   = mean 1/K sum_k D_k
    L      = L_sup + w1 r(t) L_ups + w2 r(t) L_un [+ w3 energy]

The published settings follow the released code: the discount exp(-D_k) is one number per decoder,
because the code multiplies it with a loss that is already a mean, and neither it nor the mean
prediction is detached. `rectify="pixel"` weights pixels, as in the paper's figures.
"""

import math
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.labels import IGNORE
from uaps_jax.losses import consistency, energy, segmentation, uncertainty
from uaps_jax.methods import one_network, supervised
from uaps_jax.methods.base import Method, all_kept
from uaps_jax.methods.loss import Seen, Term, one_objective
from uaps_jax.models.network import Network
from uaps_jax.trees import Tree


@dataclass(slots=True, kw_only=True)
class UapsConfig(c.RampedConfig):
    name: ClassVar[str] = "uaps"
    ramp_share: ClassVar[float] = 0.34  # 16,000 of 47,141 steps on NEU-Seg
    auxiliary: ClassVar[tuple[float, float]] = (1, math.inf)

    mixing: Literal["dirichlet", "mean"]  # weights of the decoders in the pseudo-label
    # discount by exp(-D): released, as drawn in the paper, or none (L_ps)
    rectify: Literal["scalar", "pixel", "none"]
    detach_mean: bool  # stop gradients through the mean prediction (released: False)
    detach_weight: bool  # stop gradients through exp(-D) (released: False)
    # w1, weight of the rectified pseudo-label loss
    weight_pseudo: float = field(metadata=c.at_least(0))
    weight_uncertainty: float = field(metadata=c.at_least(0))  # w2, weight of the mean KL
    ramp_uncertainty: bool  # whether w2 is ramped (False: MTiles' released script)
    # weight of the energy term of the main decoder; 0 leaves it out
    weight_energy: float = field(metadata=c.at_least(0))
    energy: c.Form  # DUEB's code, or free energy with margins
    # m_in, m_out of the repaired form
    energy_margins: tuple[float, float] = field(metadata=c.low_high())
    perturb_at_eval: bool  # perturb auxiliary decoders in uncertainty maps (released: True)


def objective(
    labeled_logits: jax.Array,
    unlabeled_logits: jax.Array,
    labels: jax.Array,
    beta: jax.Array,
    weight_pseudo: jax.Array,
    weight_uncertainty: jax.Array,
    weight_energy: jax.Array,
    options: UapsConfig,
) -> tuple[jax.Array, Tree]:
    """The loss of one step.

    Args:
      labeled_logits: `[K, B, H, W, C]`.
      unlabeled_logits: `[K, B, H, W, C]`.
      labels: class ids of the labeled images `[B, H, W]`, 255 where there is none.
      beta: mixing weights `[K]`.
      weight_pseudo: w1 r(t).
      weight_uncertainty: w2 r(t).
      weight_energy: w3.
      options: the form of each term. Its weights are not used, except that `weight_energy = 0`
        leaves the energy out of the compiled program.

    Returns:
      The total and its terms by name.
    """
    pseudo_label = consistency.mixed_pseudo_label(unlabeled_logits, beta)
    divergence = uncertainty.kl_to_mean(unlabeled_logits, detach_mean=options.detach_mean)
    weight = jnp.exp(-divergence)
    if options.detach_weight:
        weight = jax.lax.stop_gradient(weight)

    l_sup = supervised.objective(labeled_logits, labels)
    if options.rectify == "none":
        weight = jnp.ones_like(weight)
    l_ups = jax.vmap(partial(rectified, form=options.rectify), (0, None, 0))(
        unlabeled_logits, pseudo_label, weight
    ).mean()
    l_un = divergence.mean()
    total = l_sup + weight_pseudo * l_ups + weight_uncertainty * l_un
    parts = {"supervised": l_sup, "pseudo": l_ups, "uncertainty": l_un, "discount": weight.mean()}
    if options.weight_energy:
        l_e = energy_term(labeled_logits[0], labels, unlabeled_logits, pseudo_label, options)
        total, parts["energy"] = total + weight_energy * l_e, l_e
    return total, parts


def rectified(logits: jax.Array, labels: jax.Array, weight: jax.Array, form: str) -> jax.Array:
    """1/2 (CE + Dice) * mean exp(-D) of one decoder `[B, H, W, C]`, with discount `[B, H, W]`.

    "pixel": 1/2 (mean CE(x) exp(-D(x)) + Dice with every sum weighted by exp(-D(x))).
    """
    if form == "pixel":
        return segmentation.cross_entropy_and_dice(logits, labels, weight)
    return segmentation.cross_entropy_and_dice(logits, labels) * weight.mean()


def energy_term(
    labeled_logits: jax.Array,
    labels: jax.Array,
    unlabeled_logits: jax.Array,
    pseudo_label: jax.Array,
    options: UapsConfig,
) -> jax.Array:
    """The energy of the main decoder on both streams (forms: `losses/energy.py`).

    Released: the sum of DUEB's pixel energies of labels and of pseudo-labels. Repaired: hinges that
    keep labeled pixels and those on which all decoders agree below m_in, disputed ones above m_out.

    Args:
      labeled_logits: main decoder `[B, H, W, C]`.
      labels: `[B, H, W]`.
      unlabeled_logits: all decoders `[K, B, H, W, C]`.
      pseudo_label: `[B, H, W]`.
      options: form and margins.
    """
    main = unlabeled_logits[0]
    if options.energy == "released":
        return energy.pixel_energy(labeled_logits, labels) + energy.pixel_energy(main, pseudo_label)
    agree = (unlabeled_logits.argmax(-1) == pseudo_label[None]).all(0)
    labeled = labels != IGNORE
    return energy.energy_hinge(
        jnp.concatenate([labeled_logits, main]),
        jnp.concatenate([labeled, agree]),
        jnp.concatenate([jnp.zeros_like(labeled), ~agree]),
        options.energy_margins,
    )


def build(config: Config, network: Network, options: UapsConfig) -> Method:
    """UAPS on a network with auxiliary decoders, whose mean gives the pseudo-labels it reports."""

    def term(seen: Seen) -> Term:
        labeled, unlabeled = seen.logits("labeled"), seen.logits("unlabeled")
        beta = consistency.mixing_weights(options.mixing, seen.keys[0], unlabeled)
        given = seen.hyperparameters
        w2 = given["weight_uncertainty"] * (seen.ramp if options.ramp_uncertainty else 1)
        weights = seen.ramped("weight_pseudo"), w2, given["weight_energy"]
        return Term(*objective(labeled, unlabeled, seen.labels, beta, *weights, options))

    return one_network.build(
        config,
        network,
        one_objective(network, term, extra_keys=1),
        hyperparameters=("weight_pseudo", "weight_uncertainty", "weight_energy"),
        pseudo_labels=one_network.of_logits(
            network, lambda f: all_kept(jax.nn.softmax(f).mean(0), f[0])
        ),
        divergence="perturbed" if options.perturb_at_eval else "clean",
    )
