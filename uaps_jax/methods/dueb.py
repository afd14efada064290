"""DUEB: CPCL with an aleatoric and an energy term (Thakur and Kurmi, WACV 2025).

CPCL's two networks with a variance head each, labels y, pseudo-labels s_1 (intersection) and s_2
(union), aleatoric term A and energy term E:

    L = sum_b [l(f_b(x), y) + a_l A(f_b(x), v_b, y) + e_l E(f_b(x), y)]
        + r(t) { w (L_inter + L_union) + sum_b [a_u A(f_b(u_s), v_b, s_b) + e_u E(f_b(u_s), s_b)] }

with a_l = e_l = 0.5, a_u = e_u = 1 and w = 1 (VOC) as published; in the aleatoric-only and
energy-only variants the weights of the other term are 0.

`form="released"` follows the published code: v = softplus of a head that is not trained (it is
missing in the optimizer; here it is part of the state), A is `losses.aleatoric.released`, E is
`losses.energy.pixel_energy`, which penalises confidence. `form="repaired"`: a trained
log-variance with `losses.aleatoric.repaired` (unlabeled pixels weighted by omega), and the free
energy, low on labeled and agreed pixels and high on disputed ones.

As in `cpcl`, l = 1/2 (CE + Dice), and the ramp is an addition.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.labels import IGNORE
from uaps_jax.losses import aleatoric, energy
from uaps_jax.methods import cpcl
from uaps_jax.methods import views as view_lib
from uaps_jax.methods.base import Inputs, Method, Result
from uaps_jax.methods.loss import Seen, Term
from uaps_jax.methods.two_networks import NETWORKS
from uaps_jax.methods.uncertainties import PredictedVariance
from uaps_jax.models import resize, stacked
from uaps_jax.models.network import Network
from uaps_jax.trees import Tree

HEAD = "variance"


@dataclass(slots=True, kw_only=True)
class DuebConfig(cpcl.CpclConfig):
    name: ClassVar[str] = "dueb"

    form: c.Form  # of the energy term and of the aleatoric term
    # a_l, a_u of labeled and unlabeled images; (0, 0) leaves the term out
    weight_aleatoric: tuple[float, float] = field(metadata=c.each(c.at_least(0)))
    # e_l, e_u, likewise
    weight_energy: tuple[float, float] = field(metadata=c.each(c.at_least(0)))
    samples: int = field(metadata=c.at_least(1))  # T, Monte-Carlo perturbations of the logits
    # m_in, m_out of the repaired energy
    energy_margins: tuple[float, float] = field(metadata=c.low_high())

    def heads(self, config: Config) -> Mapping[str, c.Head]:
        return {HEAD: c.Head("linear", 1)}


def objective(
    labeled_logits: jax.Array,
    labeled_variance: jax.Array,
    labels: jax.Array,
    teacher_logits: jax.Array,
    mixed_logits: jax.Array,
    mixed_variance: jax.Array,
    noise: Sequence[jax.Array],
    weights: Mapping[str, jax.Array],
    options: DuebConfig,
) -> tuple[jax.Array, Tree]:
    """The loss of one step.

    Args:
      labeled_logits: `[2, B, H, W, C]`.
      labeled_variance: of the variance heads `[2, B, H, W]`: the variance where the form is
        "released", its logarithm where it is "repaired".
      labels: `[B, H, W]`.
      teacher_logits: t_1, t_2 `[2, B, H, W, C]`.
      mixed_logits: of both networks on u_s.
      mixed_variance: likewise.
      noise: standard normal `[2, T, B, H, W, C]`, for labeled and mixed images.
      weights: `unlabeled`, `aleatoric_labeled`, `aleatoric_unlabeled`, `energy_labeled`,
        `energy_unlabeled`, those of unlabeled terms ramped.
      options: form, margins, and which terms are used.

    Returns:
      The total and its terms by name, each summed over both networks.
    """
    total, parts = cpcl.objective(
        labeled_logits, labels, teacher_logits, mixed_logits, weights["unlabeled"]
    )
    targets, omega = cpcl.targets_of(teacher_logits)
    if any(options.weight_aleatoric):
        released = options.form == "released"
        term = aleatoric.released if released else aleatoric.repaired
        weighted = () if released else (omega,)  # the released term ignores omega
        of_labeled = jax.vmap(term, in_axes=(0, 0, None, 0))
        a_l = of_labeled(labeled_logits, labeled_variance, labels, noise[0]).sum()
        a_u = jax.vmap(term)(mixed_logits, mixed_variance, targets, noise[1], *weighted).sum()
        total += weights["aleatoric_labeled"] * a_l + weights["aleatoric_unlabeled"] * a_u
        parts |= {"aleatoric_labeled": a_l, "aleatoric_unlabeled": a_u}
    if any(options.weight_energy):
        e_l, e_u = energy_terms(labeled_logits, labels, mixed_logits, targets, options)
        total += weights["energy_labeled"] * e_l + weights["energy_unlabeled"] * e_u
        parts |= {"energy_labeled": e_l, "energy_unlabeled": e_u}
    return total, parts


def variance_of(head: jax.Array, form: str, size: Sequence[int]) -> jax.Array:
    """The variance, or its logarithm, `[2, B, H, W]`, of a head `[2, B, h, w, 1]`.

    The released code interpolates the variance, the softplus of the head.
    """
    value = jax.nn.softplus(head) if form == "released" else head
    return jax.vmap(lambda one: resize.resize(one, *size))(value)[..., 0]


def energy_terms(
    labeled_logits: jax.Array,
    labels: jax.Array,
    mixed_logits: jax.Array,
    targets: jax.Array,
    options: DuebConfig,
) -> tuple[jax.Array, jax.Array]:
    """E on labeled and on mixed images, summed over both networks.

    Repaired: labeled pixels, and mixed pixels on which both networks agree, are inside; the other
    mixed pixels are outside, for both networks.
    """
    if options.form == "released":
        labeled = jax.vmap(energy.pixel_energy, in_axes=(0, None))(labeled_logits, labels)
        return labeled.sum(), jax.vmap(energy.pixel_energy)(mixed_logits, targets).sum()
    valid, agreed = labels != IGNORE, targets[0] != IGNORE
    hinge = partial(energy.energy_hinge, margins=options.energy_margins)
    hinges = jax.vmap(hinge, in_axes=(0, None, None))
    labeled = hinges(labeled_logits, valid, jnp.zeros_like(valid))
    return labeled.sum(), hinges(mixed_logits, agreed, ~agreed).sum()


def build(config: Config, network: Network, options: DuebConfig) -> Method:
    """DUEB on networks with a variance head."""
    released = options.form == "released"

    def term(seen: Seen) -> Term:
        labeled, mixed = (seen.logits(name) for name in ("labeled", "mixed"))
        of_labeled, of_mixed = (
            variance_of(seen.outputs[name].heads[HEAD], options.form, labeled.shape[2:4])
            for name in ("labeled", "mixed")
        )
        shape = (2, options.samples, *labeled.shape[1:])
        noise = [jax.random.normal(k, shape, labeled.dtype) for k in jax.random.split(seen.keys[0])]
        weights = {"unlabeled": seen.ramped("weight")}
        for name in ("aleatoric", "energy"):
            weights[f"{name}_labeled"] = seen.hyperparameters[f"weight_{name}"][0]
            weights[f"{name}_unlabeled"] = seen.ramped(f"weight_{name}")[1]
        teacher = seen.logits("teacher")
        return Term(
            *objective(
                labeled, of_labeled, seen.labels, teacher, mixed, of_mixed, noise, weights, options
            )
        )

    method = cpcl.collaborative(
        config,
        network,
        options,
        term,
        hyperparameters=("weight", "weight_aleatoric", "weight_energy"),
        extra_keys=1,
    )

    def init(seed: int) -> tuple[Tree, Tree]:
        params, state = method.init(seed)
        if released:
            state["heads"] = params.pop("heads")
        return params, state

    def loss(inputs: Inputs) -> Result:
        return method.loss(inputs._replace(params=with_frozen_heads(inputs.params, inputs.state)))

    variance = PredictedVariance(
        network=network,
        normalize=view_lib.normalizer(config),
        networks=lambda variables: [stacked.entry(variables, n) for n in range(NETWORKS)],
        head=HEAD,
    )
    trained = not released and any(options.weight_aleatoric)
    return dataclasses.replace(
        method,
        init=init,
        loss=loss,
        variables=lambda params, state: method.variables(with_frozen_heads(params, state), state),
        uncertainty=variance if trained else method.uncertainty,
    )


def with_frozen_heads(params: Tree, state: Tree) -> Tree:
    """The parameters with the heads of the state, where they are not trained (released)."""
    if "heads" not in state:
        return params
    return params | {"heads": jax.lax.stop_gradient(state["heads"])}
