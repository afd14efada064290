"""A trained model as a StableHLO program: one file, for JAX without this package.

It takes and gives what the ONNX model does (`onnx_file.model`).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from uaps_jax.config import Config, DataConfig
from uaps_jax.data import prepare, resample
from uaps_jax.evaluation import image_score
from uaps_jax.evaluation.decision import Decision
from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.inference.outputs import ExportError, outputs
from uaps_jax.methods.base import Predictor
from uaps_jax.methods.uncertainties import Exportable
from uaps_jax.trees import Tree

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def to_stablehlo(
    config: Config,
    predictor: Predictor,
    uncertainty: Exportable | None,
    variables: Tree,
    rule: ScoreRule,
    decision: Decision | None,
    *,
    full_size: bool = False,
) -> jax.export.Exported:
    """The program of a predictor and an uncertainty, for any number of images of any one size.

    Args:
      config: size, channels and fit are read from it.
      predictor: of the method.
      uncertainty: the uncertainty, computed on clean features; None for the entropy of the
        probabilities.
      variables: of the checkpoint; they become constants of the program.
      rule: of the score of an image.
      decision: makes the verdict, by a score of this rule; None for no verdict.
      full_size: whether the probabilities are at the size of the photographs, by nearest neighbour.

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
        probabilities, unsure = (
            _upright(output, data, size) for output in outputs(predictor, uncertainty, variables, x)
        )
        score = image_score.scores(probabilities, rule)
        verdict = {} if decision is None else {"not_ok": ~(score <= decision.threshold)}
        return verdict | {
            "score": score,
            "mask": _at_original_size(probabilities.argmax(-1).astype(jnp.uint8), data, size),
            "probabilities": jnp.moveaxis(
                _at_original_size(probabilities, data, size) if full_size else probabilities, -1, 1
            ),
            "uncertainty": _at_original_size(unsure, data, size),
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
    seen = _seen((images.shape[1], images.shape[2]), data)
    if seen != (images.shape[1], images.shape[2]):
        by = _nearest if data.resampling == "nearest" else _area_means
        images = by(images, seen)
    if data.fit != "resize":
        for axis, size in enumerate(seen, start=1):
            index = jnp.minimum(jnp.arange((size + stride - 1) // stride * stride), size - 1)
            images = jnp.take(images, index, axis=axis, mode="clip")
    array: Any = images  # what `channels` does with numpy's arrays it does with JAX's
    x: Any = prepare.channels(array, data)
    return x.swapaxes(1, 2) if data.transpose else x


def _seen(size: tuple[int, int], data: DataConfig) -> tuple[int, int]:
    """Height and width of what the network sees, without its padding."""
    if data.fit == "resize":
        return data.height, data.width
    return prepare.scaled_size(size, data)


def _nearest(array: jax.Array, size: tuple[int, int]) -> jax.Array:
    """`[N, H, W, ...]` to another size; source index floor(i * in / out), in whole numbers."""
    for axis, wanted in enumerate(size, start=1):
        index = jnp.arange(wanted) * array.shape[axis] // wanted
        array = jnp.take(array, index, axis=axis, mode="clip")
    return array


def _area_means(images: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Means over the areas of the pixels, rounded, `[N, H, W, C]` to uint8 `[N, h, w, C]`."""
    rows, columns = (
        _shares(length, wanted)
        for length, wanted in zip((images.shape[1], images.shape[2]), size, strict=True)
    )
    x = jnp.einsum("ih,nhwc->niwc", rows, images.astype(jnp.float32))
    x = jnp.einsum("jw,niwc->nijc", columns, x)
    return jnp.floor(x + resample.HALF).astype(jnp.uint8)


def _shares(length: int, wanted: int) -> jax.Array:
    """The share of each of `length` elements in each of `wanted` parts, float32 `[out, in]`.

    In units of 1 / `wanted` elements, part i is [i * in, (i + 1) * in] and element j
    [j * out, (j + 1) * out].
    """
    parts, elements = jnp.arange(wanted)[:, None], jnp.arange(length)[None]
    ends = jnp.minimum((parts + 1) * length, (elements + 1) * wanted)
    shared = ends - jnp.maximum(parts * length, elements * wanted)
    return jnp.maximum(shared, 0).astype(jnp.float32) / length


def _upright(output: jax.Array, data: DataConfig, size: tuple[int, int]) -> jax.Array:
    """An output `[N, h, w, ...]` of the network without transposition and padding."""
    if data.transpose:
        output = output.swapaxes(1, 2)
    if data.fit != "resize":
        for axis, length in enumerate(_seen(size, data), start=1):
            output = jnp.take(output, jnp.arange(length), axis=axis, mode="clip")
    return output


def _at_original_size(output: jax.Array, data: DataConfig, size: tuple[int, int]) -> jax.Array:
    """`[N, h, w, ...]` to `[N, H, W, ...]` by nearest neighbour."""
    return output if _seen(size, data) == size else _nearest(output, size)
