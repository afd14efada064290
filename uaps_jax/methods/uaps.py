"""UAPS: uncertainty-aware, dynamically mixed pseudo-labels (Sime et al., Comput. Ind. 2023).

One encoder, K = 1 + D decoders. In the paper's symbols, for labeled (x, y) and unlabeled u:

    L_sup  = 1/K sum_k 1/2 [CE(f_k(x), y) + Dice(p_k(x), y)]
    y_hat  = argmax_c sum_k beta_k p_k(u),          beta ~ Dirichlet(1, ..., 1), once a step
    D_k    = KL(mean_j p_j(u) || p_k(u))            per pixel
    L_ups  = 1/K sum_k 1/2 [CE(f_k(u), y_hat) + Dice(p_k(u), y_hat)] * mean exp(-D_k)
    L_un   = mean 1/K sum_k D_k
    L      = L_sup + w1 r(t) L_ups + w2 r(t) L_un [+ w3 energy]

`released` behaviour is the default of every option: the discount exp(-D_k) enters as one number
per head, because the released code multiplies it with a loss that is a mean already, and neither
it nor the mean prediction is detached. `rectify="pixel"` weighs pixels, as the paper's figures
show it.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from uaps_jax.config import Config, UapsConfig
from uaps_jax.labels import IGNORE
from uaps_jax.losses import consistency, energy, ramps, segmentation, uncertainty
from uaps_jax.methods import base, supervised
from uaps_jax.trees import Tree

STREAMS = {"labeled": "labeled", "unlabeled": "unlabeled"}


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
    """The loss of one step, a function of arrays alone.

    Args:
      labeled_logits: `[K, B, H, W, C]`.
      unlabeled_logits: `[K, B, H, W, C]`.
      labels: class ids of the labeled images `[B, H, W]`, 255 where there is none.
      beta: mixing weights `[K]`.
      weight_pseudo: w1 r(t).
      weight_uncertainty: w2 r(t).
      weight_energy: w3.
      options: which form each term takes. Of its weights, only a `weight_energy` of 0 is read: it
        leaves the energy out of the compiled program.

    Returns:
      The total and its parts by name.
    """
    pseudo_label = consistency.mixed_pseudo_label(unlabeled_logits, beta)
    divergence = uncertainty.kl_to_mean(unlabeled_logits, detach_mean=options.detach_mean)
    weight = jnp.exp(-divergence)
    if options.detach_weight:
        weight = jax.lax.stop_gradient(weight)

    l_sup = supervised.objective(labeled_logits, labels)
    rectified = {"scalar": rectified_scalar, "pixel": rectified_pixel}[options.rectify]
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
    """1/2 (CE + Dice) * mean exp(-D): one head `[B, H, W, C]`, its discount `[B, H, W]`."""
    return segmentation.cross_entropy_and_dice(logits, labels) * weight.mean()


def rectified_pixel(logits: jax.Array, labels: jax.Array, weight: jax.Array) -> jax.Array:
    """1/2 (mean CE(x) exp(-D(x)) + Dice with every sum weighted by exp(-D(x)))."""
    ce = (segmentation.pixel_cross_entropy(logits, labels) * weight).mean()
    return 0.5 * (ce + segmentation.dice(logits, labels, weight))


def energy_term(
    labeled_logits: jax.Array,
    labels: jax.Array,
    unlabeled_logits: jax.Array,
    pseudo_label: jax.Array,
    options: UapsConfig,
) -> jax.Array:
    """The energy of the main head on both streams (forms: `losses/energy.py`).

    Released: DUEB's pixel energy of labels and of pseudo-labels, added. Repaired: labeled pixels
    and those on which all heads agree are kept below m_in, disputed ones above m_out.

    Args:
      labeled_logits: main head `[B, H, W, C]`.
      labels: `[B, H, W]`.
      unlabeled_logits: all heads `[K, B, H, W, C]`.
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


def build(config: Config) -> base.Method:
    """UAPS on `config`'s network."""
    options = config.method
    assert isinstance(options, UapsConfig)
    model = base.build_model(config)
    normalize = base.normalizer(config)

    def loss(
        params: Tree,
        state: Tree,
        views: Tree,
        key: jax.Array,
        step: jax.Array,
        weights: Mapping[str, jax.Array],
    ) -> tuple[jax.Array, tuple[Tree, Tree]]:
        forward_key, mix_key = jax.random.split(key)
        variables = {"params": params, "batch_stats": state["batch_stats"]}
        images = interleave(views["labeled"]["image"], views["unlabeled"]["image"])
        outputs, stats = model.train_outputs(variables, images, forward_key, groups=2)
        labeled, unlabeled = jax.vmap(separate, out_axes=0)(outputs.logits)

        members = 1 + model.auxiliary
        if options.mixing == "dirichlet":
            beta = consistency.dirichlet_weights(mix_key, members, labeled.dtype)
        else:
            beta = jnp.full(members, 1 / members, labeled.dtype)

        ramp = ramps.ramp_up(step, weights["ramp_interval"], weights["ramp_length"])
        value, parts = objective(
            labeled,
            unlabeled,
            views["labeled"]["mask"],
            beta,
            weights["pseudo"] * ramp,
            weights["uncertainty"] * (ramp if options.ramp_uncertainty else 1.0),
            weights["energy"],
            options,
        )
        return value, (state | {"batch_stats": stats}, parts | {"ramp": ramp})

    def uncertainty_map(variables: Tree, images: jax.Array, key: jax.Array) -> jax.Array:
        logits = model.all_logits(
            variables, normalize(images), key if options.perturb_at_eval else None
        )
        return uncertainty.kl_to_mean(logits).mean(0)

    return base.Method(
        streams=STREAMS,
        weights={
            "pseudo": options.weight_pseudo,
            "uncertainty": options.weight_uncertainty,
            "energy": options.weight_energy,
            "ramp_interval": options.ramp_interval,
            "ramp_length": options.ramp_length,
        },
        views=base.weak_views(config, STREAMS),
        loss=loss,
        uncertainty=uncertainty_map,
        **base.single_network(config, model),
    )


def interleave(labeled: jax.Array, unlabeled: jax.Array) -> jax.Array:
    """Two batches `[B, ...]` to one `[2B, ...]`: labeled 0, unlabeled 0, labeled 1, ...

    A batch sharded over devices stays where it is; a concatenation would move half of it.
    """
    stacked = jnp.stack([labeled, unlabeled], axis=1)
    return stacked.reshape(-1, *labeled.shape[1:])


def separate(both: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Undoes `interleave`."""
    pairs = both.reshape(-1, 2, *both.shape[1:])
    return pairs[:, 0], pairs[:, 1]
