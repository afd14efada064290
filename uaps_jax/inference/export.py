"""Writes a trained model as an ONNX file, after comparing it with its checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import onnxruntime

from uaps_jax import files
from uaps_jax.config import Config
from uaps_jax.data import prepare
from uaps_jax.inference.onnx_file import model as onnx_model
from uaps_jax.inference.onnx_file.graph import ExportError
from uaps_jax.methods.base import Divergence, Method, Predictor
from uaps_jax.trees import Tree


class Differences(NamedTuple):
    """The largest differences between an exported model and its checkpoint.

    Attributes:
      probabilities: of a class.
      uncertainty: in nats.
    """

    probabilities: float
    uncertainty: float


LIMITS = Differences(probabilities=1e-4, uncertainty=1e-3)
"""What an export may differ by, on noise; on images the differences are a tenth and less. The slope
of the entropy, log p, makes the uncertainty less exact than the probabilities."""


def write(
    file: Path,
    config: Config,
    method: Method,
    variables: Tree,
    class_names: Sequence[str],
    about: Mapping[str, str],
    uncertainty: str,
) -> Differences:
    """Writes the model of the configured predictor, after comparing it with the checkpoint.

    Args:
      file: to write; its folder is made.
      config: of the checkpoint; it computes in float32, as the exported model does.
      method: built from `config`.
      variables: of the checkpoint.
      class_names: by class id.
      about: further entries of the metadata.
      uncertainty: "entropy", of the exported probabilities, or "method", the uncertainty of the
        method, on clean features.

    Returns:
      The largest differences on random images.

    Raises:
      ExportError: they exceed `LIMITS`, or the network or the uncertainty has no ONNX form;
        nothing is written.
    """
    predictor = method.predictor(config.evaluation.predictor)
    divergence = _divergence(method) if uncertainty == "method" else None
    model = onnx_model.to_onnx(config, predictor, divergence, variables, class_names, about)
    data = model.SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    worst = Differences(0.0, 0.0)
    for count in (1, 3):
        shape = (count, config.data.height, config.data.width, 3)
        images = random.integers(0, 256, shape, np.uint8)
        found = differences(session, config, predictor, divergence, variables, images)
        worst = Differences(*np.maximum(worst, found).tolist())  # keeps NaN
    for name, difference, limit in zip(Differences._fields, worst, LIMITS, strict=True):
        if not difference <= limit:
            raise ExportError(
                f"{name} of the exported model differ by {difference:.1e} from the checkpoint's, "
                f"more than {limit:.0e}: {file} is not written"
            )
    file.parent.mkdir(parents=True, exist_ok=True)
    files.write_bytes(file, data)
    return worst


def differences(
    session: onnxruntime.InferenceSession,
    config: Config,
    predictor: Predictor,
    divergence: Divergence | None,
    variables: Tree,
    images: np.ndarray,
) -> Differences:
    """The largest differences between an exported model and its checkpoint.

    Args:
      session: of the exported model.
      config: of the checkpoint.
      predictor: that was exported, computing in float32.
      divergence: the uncertainty that was exported; None for the entropy.
      variables: of the checkpoint.
      images: uint8 `[N, height, width, 3]`, of the network's size (before any transposition).
    """

    def predict(variables: Tree, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        probabilities = predictor(variables, images)
        if divergence is None:
            return probabilities, jax.scipy.special.entr(probabilities).sum(-1)
        return probabilities, divergence(variables, images, jax.random.key(0))

    inputs = prepare.channels(images, config.data)
    if config.data.transpose:
        inputs = inputs.swapaxes(1, 2)
    with jax.default_matmul_precision("highest"):
        probabilities, uncertainty = map(np.asarray, jax.jit(predict)(variables, inputs))
    if config.data.transpose:
        probabilities, uncertainty = probabilities.swapaxes(1, 2), uncertainty.swapaxes(1, 2)
    expected = probabilities.transpose(0, 3, 1, 2), uncertainty
    actual = session.run(Differences._fields, {"images": images})
    return Differences(*(float(np.abs(a - e).max()) for a, e in zip(actual, expected, strict=True)))


def _divergence(method: Method) -> Divergence | None:
    """The uncertainty of a method, on clean features; None for the entropy.

    Raises:
      ExportError: it has no ONNX form.
    """
    if method.uncertainty is None:
        return None
    if not isinstance(method.uncertainty, Divergence):
        raise ExportError(
            "the uncertainty of this method has no ONNX form; export the entropy of its "
            "probabilities, --uncertainty=entropy"
        )
    return dataclasses.replace(method.uncertainty, perturb=False)
