"""Uncertainty-aware Mean Teacher (Yu et al. 2019), as UAPS's study computes it.

The teacher of `mean_teacher` looks T times at noisy copies of u; where the entropy of its mean
prediction p_mc is low, the student follows one more noisy look:

    H   = -sum_c p_mc log(p_mc + 1e-6),      m = 1[H < h(t)]
    L_c = sum m (softmax f(u) - softmax f'(u + n))^2 / (2 sum m + 1e-16)
    L   = 1/2 [CE(f(x), y) + Dice(softmax f(x), y)] + w(t) L_c

Released: h(t) = (0.75 + 2.5 w(t)) ln 2, which ends at ln 2 for w = 0.1 and is a bound for two
classes; the numerator is summed over classes and the denominator has a 2 in their place.
`threshold="repaired"` is (0.75 + 0.25 r(t)) ln C, whatever w is; `normalizer="repaired"` has C in
place of the 2.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.losses import segmentation
from uaps_jax.methods import base, teacher
from uaps_jax.trees import Tree

STREAMS = {"labeled": "labeled", "unlabeled": "unlabeled"}
COPIES = 2  # of the batch in one pass of the teacher


@dataclass(slots=True, kw_only=True)
class UaMtConfig(teacher.TeacherConfig):
    """UA-MT; the values of the released code come first."""

    name: ClassVar[str] = "ua_mt"
    ramp_share: ClassVar[float] = 0.92  # 16,000 of 17,371 steps

    samples: int = field(  # T, predictions of the teacher, two in a pass
        metadata=c.rule(lambda v: v >= COPIES and v % COPIES == 0, "must be 2, 4, 6, ...")
    )
    threshold: c.Form  # of the entropy
    normalizer: c.Form  # of the consistency


def entropy(samples_logits: jax.Array) -> jax.Array:
    """H of the mean prediction of `[T, B, H, W, C]`, in nats `[B, H, W]`."""
    mean = jax.nn.softmax(samples_logits).mean(0)
    return -(mean * jnp.log(mean + 1e-6)).sum(-1)


def objective(
    labeled_logits: jax.Array,
    labels: jax.Array,
    student_logits: jax.Array,
    teacher_logits: jax.Array,
    samples_logits: jax.Array,
    weight: jax.Array,
    threshold: jax.Array,
    normalizer: str = "released",
) -> tuple[jax.Array, Tree]:
    """The loss of one step.

    Args:
      labeled_logits: student on x `[B, H, W, C]`.
      labels: `[B, H, W]`.
      student_logits: student on u.
      teacher_logits: teacher on one noisy u.
      samples_logits: teacher on T noisy u, `[T, B, H, W, C]`.
      weight: w(t).
      threshold: h(t) in nats.
      normalizer: its form.

    Returns:
      The total and its parts by name; `kept` is the share of pixels below the threshold.
    """
    l_sup = segmentation.cross_entropy_and_dice(labeled_logits, labels)
    teacher_logits, samples_logits = jax.lax.stop_gradient((teacher_logits, samples_logits))
    mask = (entropy(samples_logits) < threshold).astype(student_logits.dtype)
    distance = jnp.square(jax.nn.softmax(student_logits) - jax.nn.softmax(teacher_logits))
    count = 2 if normalizer == "released" else distance.shape[-1]
    l_c = (mask[..., None] * distance).sum() / (count * mask.sum() + 1e-16)
    parts = {"supervised": l_sup, "consistency": l_c, "kept": mask.mean()}
    return l_sup + weight * l_c, parts


def build(config: Config) -> base.Method:
    """UA-MT on `config`'s network."""
    options = config.method
    assert isinstance(options, UaMtConfig)
    model = base.build_model(config)
    normalize = base.normalizer(config)
    train = options.teacher_mode == "train"

    def look(teaching: Tree, images: jax.Array, key: jax.Array) -> tuple[jax.Array, Tree]:
        noise_key, forward_key = jax.random.split(key)
        noisy = images + teacher.noise(noise_key, images, options.noise_scale, options.noise_clip)
        return teacher.logits(model, teaching, noisy, forward_key, train=train)

    def looks(teaching: Tree, images: jax.Array, key: jax.Array) -> tuple[jax.Array, Tree]:
        """T looks `[T, B, H, W, C]`, two in a pass, each of which moves running statistics."""
        tiled, found = jnp.repeat(images, COPIES, axis=0), []
        for k in jax.random.split(key, options.samples // COPIES):
            logits, teaching = look(teaching, tiled, k)
            found.append(base.separate(logits, COPIES))
        return jnp.concatenate(found), teaching

    def limit(step: jax.Array, weights: Mapping[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
        ramp = base.ramp(step, weights)
        if options.threshold == "released":
            return ramp, (0.75 + 2.5 * weights["consistency"] * ramp) * math.log(2)
        return ramp, (0.75 + 0.25 * ramp) * math.log(config.data.classes)

    def loss(
        params: Tree,
        state: Tree,
        views: Tree,
        key: jax.Array,
        step: jax.Array,
        weights: Mapping[str, jax.Array],
    ) -> tuple[jax.Array, tuple[Tree, Tree]]:
        student_key, target_key, looks_key = jax.random.split(key, 3)
        x, u = (views[stream]["image"] for stream in STREAMS)
        outputs, stats = base.forward(model, params, state["batch_stats"], student_key, x, u)
        labeled, unlabeled = outputs.logits[:, 0]
        target, teaching = look(state["teacher"], u, target_key)
        samples, teaching = looks(teaching, u, looks_key)
        ramp, threshold = limit(step, weights)
        value, parts = objective(
            labeled,
            views["labeled"]["mask"],
            unlabeled,
            target,
            samples,
            weights["consistency"] * ramp,
            threshold,
            options.normalizer,
        )
        state = state | {"batch_stats": stats, "teacher": teaching}
        return value, (state, parts | {"ramp": ramp})

    weights = {"consistency": options.weight, **base.ramp_weights(options)}

    def probe(variables: Tree, images: jax.Array, key: jax.Array, step: jax.Array) -> base.Probe:
        images = normalize(images)
        samples, _ = looks(variables["teacher"], images, key)
        traced = {name: jnp.asarray(value, jnp.float32) for name, value in weights.items()}
        kept = entropy(samples) < limit(step, traced)[1]
        return teacher.probe(model, variables, images)._replace(kept=kept)

    return base.Method(
        streams=STREAMS,
        weights=weights,
        views=base.weak_views(config, STREAMS),
        loss=loss,
        uncertainty=None,
        probe=probe,
        **teacher.student_and_teacher(config, options, model),
    )
