"""What the sides of `benchmarks.train_step` have to agree on, computed by our side.

Clean logits of labeled images, and a loss without random values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.sides import WEIGHTS
from uaps_jax.methods import strong_views, uaps, weak_to_strong
from uaps_jax.methods.base import Method
from uaps_jax.trees import Tree

Arrays = Mapping[str, np.ndarray]
"""A batch: `labeled` and `unlabeled`, uint8 `[B, H, W, C]`, and `mask` `[B, H, W]`."""


def of_uaps(method: Method, options: Any, variables: Tree, batch: Arrays) -> dict[str, Any]:
    """`logits` `[K, B, H, W, C]`, the `beta` of the decoders, and the `loss`.

    Args:
      method: UAPS.
      options: its settings.
      variables: `{"params", "batch_stats"}` of its network.
      batch: uint8 images and their masks.
    """
    assert isinstance(options, uaps.UapsConfig)
    predictor = method.predictor("")
    network, normalize = predictor.network, predictor.normalize
    x, u = (normalize(jnp.asarray(batch[name])) for name in ("labeled", "unlabeled"))
    both = jax.jit(lambda v, i: network.all_logits(v, i, None))
    labeled, unlabeled = both(variables, x), both(variables, u)
    beta = np.array([0.4, 0.3, 0.2, 0.1], np.float32)
    labels = jnp.asarray(batch["mask"].astype(np.int32))
    w1, w2, w3 = (jnp.asarray(w, jnp.float32) for w in (*WEIGHTS, 0.0))
    total, _ = uaps.objective(labeled, unlabeled, labels, jnp.asarray(beta), w1, w2, w3, options)
    return {"logits": np.asarray(labeled), "beta": beta, "loss": np.asarray(total)}


def of_fixmatch(method: Method, options: Any, variables: Tree, batch: Arrays) -> dict[str, Any]:
    """`logits` `[1, B, H, W, C]`, a `threshold`, boxes `box` `[B, H, W]`, and the `loss`.

    The teacher is the student, the strong view of an image is the weak one with a box of the next
    image. The threshold is the median of the confidence: an untrained network reaches no .95
    anywhere, and half of the loss would not be compared. The arguments are those of `of_uaps`.
    """
    assert isinstance(options, weak_to_strong.WeakToStrongConfig)
    predictor = method.predictor("")
    network, normalize = predictor.network, predictor.normalize
    x, u = (normalize(jnp.asarray(batch[name])) for name in ("labeled", "unlabeled"))
    forward = jax.jit(network.main_logits)
    labeled, taught = forward(variables, x), jax.nn.softmax(forward(variables, u))
    threshold = jnp.median(taught.max(-1))
    target = strong_views.confident(taught, jnp.full(taught.shape[-1], threshold))
    count, height, width = batch["mask"].shape
    box = np.zeros((count, height, width), bool)
    box[:, height // 4 : height // 2, width // 3 :] = True
    box[-1] = False
    view: Tree = {"image": u, "target": target}
    strong = strong_views.with_boxes({"box": jnp.asarray(box)}, view)
    total, _ = weak_to_strong.objective(
        labeled[None],
        jnp.asarray(batch["mask"].astype(np.int32)),
        [forward(variables, strong["image"])[None]],
        [strong["target"]],
        jnp.asarray(options.weight, jnp.float32),
        options.unlabeled_loss,
    )
    return {
        "logits": np.asarray(labeled)[None],
        "threshold": np.asarray(threshold),
        "box": box,
        "loss": np.asarray(total),
    }
