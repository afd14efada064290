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
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.labels import IGNORE
from uaps_jax.losses import consistency, energy, segmentation, uncertainty
from uaps_jax.methods import one_network, supervised
from uaps_jax.methods.base import Method, PseudoLabels, all_kept
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
    rectified = rectified_pixel if options.rectify == "pixel" else rectified_scalar
    l_ups = jax.vmap(rectified, in_axes=(0, None, 0))(unlabeled_logits, pseudo_label, weight).mean()
    l_un = divergence.mean()
    total = l_sup + weight_pseudo * l_ups + weight_uncertainty * l_un
    parts = {"supervised": l_sup, "pseudo": l_ups, "uncertainty": l_un, "discount": weight.mean()}
    if options.weight_energy:
        parts["energy"] = energy_term(
            labeled_logits[0], labels, unlabeled_logits, pseudo_label, options
        )
        total = total + weight_energy * parts["energy"]
    return total, parts


def rectified_scalar(logits: jax.Array, labels: jax.Array, weight: jax.Array) -> jax.Array:
    """1/2 (CE + Dice) * mean exp(-D) of one decoder `[B, H, W, C]`, with discount `[B, H, W]`."""
    return segmentation.cross_entropy_and_dice(logits, labels) * weight.mean()


def rectified_pixel(logits: jax.Array, labels: jax.Array, weight: jax.Array) -> jax.Array:
    """1/2 (mean CE(x) exp(-D(x)) + Dice with every sum weighted by exp(-D(x)))."""
    return segmentation.cross_entropy_and_dice(logits, labels, weight)


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


def pseudo_labels_of(logits: jax.Array) -> PseudoLabels:
    """Pseudo-labels of the mean of all decoders; the student is the main decoder.

    Args:
      logits: `[K, B, H, W, C]`.
    """
    return all_kept(jax.nn.softmax(logits).mean(0), logits[0])


def build(config: Config, network: Network) -> Method:
    """UAPS on a network with auxiliary decoders."""
    options = config.method
    assert isinstance(options, UapsConfig)

    def term(seen: Seen) -> Term:
        unlabeled = seen.logits("unlabeled")
        beta = consistency.mixing_weights(
            options.mixing, seen.keys[0], len(unlabeled), unlabeled.dtype
        )
        return Term(
            *objective(
                seen.logits("labeled"),
                unlabeled,
                seen.labels,
                beta,
                seen.ramped("pseudo"),
                seen.ramped("uncertainty")
                if options.ramp_uncertainty
                else seen.hyperparameters["uncertainty"],
                seen.hyperparameters["energy"],
                options,
            )
        )

    return one_network.build(
        config,
        network,
        one_objective(network, term, extra_keys=1),
        hyperparameters={
            "pseudo": options.weight_pseudo,
            "uncertainty": options.weight_uncertainty,
            "energy": options.weight_energy,
        },
        pseudo_labels=lambda variables, images, key, step: pseudo_labels_of(
            network.all_logits(variables, images, key)
        ),
        divergence="perturbed" if options.perturb_at_eval else "clean",
    )
