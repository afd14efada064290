"""U2PL (Wang et al., CVPR 2022): reliable pseudo-labels, and unreliable pixels as negatives.

A student f with a projection head z, its EMA teacher f' with z', labeled (x, y), unlabeled u:

    p     = softmax f'(u),     y_hat = argmax_c p_c,     reliable: `reliability`
    L     = L_s + [t >= warm-up] (L_u + lambda_c L_c)
    L_s   = l(f(x), y) + w_a l(f_a(x), y)
    L_u   = eta (|pixels| / |reliable|) l(f(u~), y_hat~),     a mean over the reliable pixels
    L_c   = 1/C sum_c 1/M sum_i -log[ e^(<a_i, z_c>/tau)
                                      / (e^(<a_i, z_c>/tau) + sum_{j=1..N} e^(<a_i, n_ij>/tau)) ]

u~, y_hat~ are mixed (`region_mixing`). f_a is an auxiliary head. The anchors a_i are features z of
the student at pixels of x and u~, z_c is the mean feature z' of class c, and the negatives n_ij are
from a bank of the class, into which features z' of `contrast_sets` are written; <.,.> is the
cosine. Classes without an anchor or without a negative add 0 to L_c. l is CE as published, or
1/2 (CE + Dice).

Published: alpha_0 = 0.2, M = 50, N = 256, tau = 0.5, delta = 0.3, (r_l, r_h) = (3, 20), eta = 1,
lambda_c = 0.1, w_a = 0.4 with CE of hard pixels on Cityscapes and 0 on VOC.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp

from uaps_jax import config as c
from uaps_jax.config import Config
from uaps_jax.labels import IGNORE
from uaps_jax.losses.masked import LossForm
from uaps_jax.methods import (
    contrast,
    memory_bank,
    passes,
    region_mixing,
    reliability,
    teacher,
    u2pl_terms,
)
from uaps_jax.methods.base import Hyperparameters, Inputs, Method, PseudoLabels
from uaps_jax.methods.loss import Seen, Term, one_objective, show
from uaps_jax.methods.region_mixing import Target
from uaps_jax.models import resize
from uaps_jax.models.network import Network
from uaps_jax.trees import Tree

FCN = "fcn"


@dataclass(slots=True, kw_only=True)
class U2plConfig(contrast.ContrastConfig):
    name: ClassVar[str] = "u2pl"
    auxiliary: ClassVar[tuple[float, float]] = (0, 0)
    mixes_streams: ClassVar[bool] = True
    # published: 20 of 200 epochs (Cityscapes), 1 of 80 (VOC)
    late_starts: ClassVar[Mapping[str, float]] = {"warm_up": 0.1}

    warm_up: int = field(metadata=c.at_least(0))  # steps whose loss is that of labeled images
    ema_decay: float = field(metadata=c.below_one())  # largest decay of the teacher
    loss: LossForm  # l, of labeled and unlabeled images
    weight: float = field(metadata=c.at_least(0))  # eta, of L_u
    # alpha_0, share of the pixels that are unreliable at first; it falls to 0
    unreliable: float = field(metadata=c.fraction())
    percentile: reliability.Over  # of the pixels of the batch, or of those of each pseudo-label
    mixing: region_mixing.Mixing  # of unlabeled images
    mixing_probability: float = field(metadata=c.probability())  # that an image is mixed
    # labeled pixels of a lower probability are learnt, and the `ohem_kept` hardest; 1: all
    ohem_threshold: float = field(metadata=c.probability())
    # share of the batch's pixels that are learnt at least; published: 100,000 of 1.2 million
    ohem_kept: float = field(metadata=c.probability())
    weight_fcn: float = field(metadata=c.at_least(0))  # w_a, of the auxiliary head; 0: none

    def heads(self, config: Config) -> Mapping[str, c.Head]:
        heads = {}
        if self.weight_contrast:
            heads[contrast.PROJECTION] = c.Head("projection", self.projection)
        if self.weight_fcn:
            heads[FCN] = c.Head("fcn", config.data.classes)
        return heads

    def problems(self, config: Config) -> Iterator[str]:
        yield from contrast.ContrastConfig.problems(self, config)
        yield from c.check(
            config,
            "method.ohem_threshold",
            self.ohem_threshold == 1 or self.loss != "dice",
            'must be 1 with method.loss = "dice", which has no cross-entropy',
        )
        images = config.train.batch_unlabeled // config.train.accumulate
        yield from c.check(
            config,
            "method.mixing",
            images > 1 or self.mixing not in ("cutmix", "classmix"),
            f"takes regions from another image, and a batch has {images} (train.batch_unlabeled / "
            "train.accumulate); use cutout or none",
        )


def build(config: Config, network: Network, options: U2plConfig) -> Method:
    classes = config.data.classes
    with_contrast = options.weight_contrast > 0

    labeled_loss = partial(
        u2pl_terms.labeled_loss,
        form=options.loss,
        threshold=options.ohem_threshold,
        kept=options.ohem_kept,
    )

    def prepare(views: Tree, inputs: Inputs, keys: Sequence[jax.Array]) -> Tree:
        mix_key, contrast_key = keys
        given, step = inputs.hyperparameters, inputs.step
        labeled, unlabeled = views["labeled"], views["unlabeled"]["image"]
        taught = network.outputs(
            jax.lax.stop_gradient(inputs.state["teacher"]),
            passes.interleave(labeled["image"], unlabeled),
        )
        of_labeled, of_unlabeled = (passes.separate(taught, part, 2) for part in (0, 1))
        share = reliability.unreliable_share(given["unreliable"], step, given["steps"])
        found = reliability.reliable(of_unlabeled.logits[0], share, options.percentile)
        target = Target(
            jnp.where(found.is_reliable, found.labels, IGNORE),
            jax.nn.softmax(of_unlabeled.logits[0]).max(-1),
        )
        region = region_mixing.regions(
            options.mixing, mix_key, found.labels, classes, options.mixing_probability
        )
        image, mixed = region_mixing.mixed(options.mixing, region, unlabeled, target)
        made = {"mixed": {"image": image, "labels": mixed.labels}, "found": found}
        if with_contrast:
            teaching = contrast.Teaching(
                of_labeled, of_unlabeled, labeled["mask"], found.is_reliable, target, mixed
            )
            made["contrast"] = contrast.prepare(
                contrast_key,
                teaching,
                inputs.memory[contrast.BANKS],
                inputs.state[contrast.PLACES],
                step >= given["warm_up"],
                given["anchor_threshold"],
                options,
            )
        return views | made

    def term(seen: Seen) -> Term:
        given, labels = seen.hyperparameters, seen.views["mixed"]["labels"]
        l_sup = labeled_loss(seen.logits("labeled")[0], seen.labels)
        l_u = u2pl_terms.unlabeled_loss(seen.logits("mixed")[0], labels, options.loss)
        parts = {"supervised": l_sup, "pseudo": l_u}
        later = given["weight"] * l_u
        state, writes = {}, {}
        if with_contrast:
            prepared: contrast.Prepared = seen.views["contrast"]
            features = passes.interleave(
                *(seen.outputs[name].heads[contrast.PROJECTION][0] for name in ("labeled", "mixed"))
            )
            l_c = contrast.term(features, prepared, options.temperature)
            later += given["weight_contrast"] * l_c
            parts |= {"contrast": l_c, **contrast.counts(prepared)}
            state, writes = {contrast.PLACES: prepared.places}, {contrast.BANKS: prepared.write}
        total = l_sup + jnp.where(seen.step >= given["warm_up"], later, 0)
        if options.weight_fcn:
            small = seen.outputs["labeled"].heads[FCN][0]
            large = resize.resize(small, *seen.labels.shape[1:])
            parts["fcn"] = labeled_loss(large, seen.labels)
            total += given["weight_fcn"] * parts["fcn"]
        kept = u2pl_terms.kept(seen.views["found"], labels, classes)
        return Term(total, parts | kept, state, writes)

    def pseudo_labels(
        variables: Tree, images: jax.Array, key: jax.Array, step: jax.Array
    ) -> PseudoLabels:
        of_teacher, of_student = (
            network.main_logits(variables[name], images) for name in ("teacher", "student")
        )
        unreliable, steps = jnp.asarray(options.unreliable), jnp.asarray(float(config.train.steps))
        share = reliability.unreliable_share(unreliable, step, steps)
        found = reliability.reliable(of_teacher, share, options.percentile)
        return PseudoLabels(found.labels, found.is_reliable, of_student.argmax(-1))

    def places() -> Tree:
        return {contrast.PLACES: memory_bank.first_places(classes)} if with_contrast else {}

    def memory() -> Tree:
        if not with_contrast:
            return {}
        return {contrast.BANKS: memory_bank.memory(classes, options.bank_size, options.projection)}

    weights = ("weight", "weight_contrast", "weight_fcn")
    run = show("labeled", "mixed", joint=True)
    method = teacher.build(
        config,
        network,
        one_objective(network, term, run=run, extra_keys=2, prepare=prepare),
        hyperparameters=(*weights, "unreliable", "anchor_threshold", "warm_up"),
        pseudo_labels=pseudo_labels,
        extra_state=places,
    )

    def after_update(
        params: Tree, state: Tree, step: jax.Array, hyperparameters: Hyperparameters
    ) -> Tree:
        """During warm-up the teacher is a copy of the student."""
        counted = jnp.maximum(step - hyperparameters["warm_up"], 0)
        return method.after_update(params, state, counted, hyperparameters)

    return replace(method, after_update=after_update, memory=memory)
