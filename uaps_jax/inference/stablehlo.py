"""A trained model as a StableHLO program: one file, for JAX without this package.

It takes and gives what the ONNX model does (`onnx_file.model`).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from uaps_jax.config import Config, DataConfig
from uaps_jax.data import prepare
from uaps_jax.evaluation import image_score
from uaps_jax.evaluation.decision import Decision
from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.inference.outputs import ExportError, outputs
from uaps_jax.methods.base import Divergence, Predictor
from uaps_jax.trees import Tree

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def to_stablehlo(
    config: Config,
    predictor: Predictor,
    divergence: Divergence | None,
    variables: Tree,
    rule: ScoreRule,
    decision: Decision | None,
) -> jax.export.Exported:
    """The program of a predictor and an uncertainty, for any number of images of any one size.

    Args:
      config: size, channels and fit are read from it.
      predictor: of the method.
      divergence: the uncertainty, computed on clean features; None for the entropy of the
        probabilities.
      variables: of the checkpoint; they become constants of the program.
      rule: of the score of an image.
      decision: makes the verdict, by a score of this rule; None for no verdict.

    Returns:
      A function of images, uint8 RGB `[N, H, W, 3]`, to a dictionary with the outputs of
      `onnx_file.model.to_onnx`.

    Raises:
      ExportError: the network cannot be traced for images of any number and size.
    """
    data = config.data

    def predict(images: jax.Array) -> dict[str, jax.Array]:
        size = (images.shape[1], images.shape[2])
        x = _network_input(images, data, config.network.stride)
        probabilities, uncertainty = (
            _upright(output, data, size) for output in outputs(predictor, divergence, variables, x)
        )
        score = image_score.scores(probabilities, rule)
        verdict = {} if decision is None else {"not_ok": score > decision.threshold}
        return verdict | {
            "score": score,
            "mask": _at_original_size(probabilities.argmax(-1).astype(jnp.uint8), data, size),
            "probabilities": jnp.moveaxis(probabilities, -1, 1),
            "uncertainty": _at_original_size(uncertainty, data, size),
        }

    shape = (*jax.export.symbolic_shape("n, h, w"), 3)
    images = jax.ShapeDtypeStruct(shape, jnp.uint8)
    try:
        with jax.default_matmul_precision("highest"):
            return jax.export.export(jax.jit(predict), platforms=PLATFORMS)(images)
    except (TypeError, NotImplementedError, jax.errors.InconclusiveDimensionOperation) as error:
        raise ExportError(
            f"network {config.network.name}: it cannot be traced for images of any number and "
            f"size: {str(error).splitlines()[0]}"
        ) from error


def _network_input(images: jax.Array, data: DataConfig, stride: int) -> jax.Array:
    """The input of a predictor, `[N, h, w, channels]` on the 0..255 scale."""
    for axis, wanted in ((1, data.height), (2, data.width)):
        size = images.shape[axis]
        if data.fit == "resize":
            index = jnp.arange(wanted) * size // wanted  # whole numbers, as the loader's
        else:
            index = jnp.minimum(jnp.arange((size + stride - 1) // stride * stride), size - 1)
        images = jnp.take(images, index, axis=axis, mode="clip")
    array: Any = images  # what `channels` does with numpy's arrays it does with JAX's
    x: Any = prepare.channels(array, data)
    return x.swapaxes(1, 2) if data.transpose else x


def _upright(output: jax.Array, data: DataConfig, size: tuple[int, int]) -> jax.Array:
    """An output `[N, h, w, ...]` of the network without transposition and padding."""
    if data.transpose:
        output = output.swapaxes(1, 2)
    if data.fit == "pad":
        for axis, length in enumerate(size, start=1):
            output = jnp.take(output, jnp.arange(length), axis=axis, mode="clip")
    return output


def _at_original_size(output: jax.Array, data: DataConfig, size: tuple[int, int]) -> jax.Array:
    """`[N, h, w]` to `[N, H, W]` by nearest neighbour."""
    if data.fit == "resize":
        for axis, length in enumerate(size, start=1):
            index = jnp.arange(length) * output.shape[axis] // length
            output = jnp.take(output, index, axis=axis, mode="clip")
    return output
