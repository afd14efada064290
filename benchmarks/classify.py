"""EfficientNet-Lite0 of `uaps_jax` with its published weights, as the classifier it was trained as.

    python -m benchmarks.classify chelsea.png coffee.png camera.png rocket.jpg

Prints the three most probable classes of ImageNet (their numbers) for each photograph. The encoder
is ours; the head, which segmentation does not use, is computed here from the same file. It needs
the extra `pretrained`. The photographs of the example are in the package `scikit-image`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from uaps_jax import models, weights
from uaps_jax.configs import train
from uaps_jax.models.efficientnet_lite import EPSILON, relu6
from uaps_jax.training import pretrained

SIZE = 224


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("images", nargs="+", type=Path)
    arguments = parser.parse_args()
    config = train.build(
        dataset="neu", method="supervised", network="efficientnet_lite0", variant="small"
    )
    network = models.build(config, {}, pretrained.load(config))
    variables = network.init(0)
    encoder = {c: variables[c]["encoder"] for c in ("params", "batch_stats")}
    state = weights.read(pretrained.package_file(config.network))
    mean, std = (np.asarray(v, np.float32) for v in (config.data.mean, config.data.std))
    for file in arguments.images:
        image = (photograph(file) / np.float32(255) - mean) / std
        pyramid: Any = network.encoder.apply(encoder, image[None], train=False)
        chances = np.asarray(jax.nn.softmax(head(state, pyramid[-1])))[0]
        best = np.argsort(-chances)[:3]
        print(file.name, ", ".join(f"{number}: {chances[number]:.2f}" for number in best))


def photograph(file: Path) -> np.ndarray:
    """The central square of a photograph, float32 `[SIZE, SIZE, 3]`; grey is replicated."""
    image = Image.open(file).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box), np.float32)


def head(state: Mapping[str, np.ndarray], features: jax.Array) -> jax.Array:
    """Logits `[B, 1000]`: 1x1 convolution, batch normalisation, ReLU6, mean, linear."""
    x = features @ state["_conv_head.weight"][:, :, 0, 0].T
    scale = state["_bn1.weight"] / np.sqrt(state["_bn1.running_var"] + EPSILON)
    x = relu6((x - state["_bn1.running_mean"]) * scale + state["_bn1.bias"])
    return jnp.mean(x, (1, 2)) @ state["_fc.weight"].T + state["_fc.bias"]


if __name__ == "__main__":
    main()
