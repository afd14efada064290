"""An exported ONNX file, opened to be used without its checkpoint."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from uaps_jax.config import ConfigError
from uaps_jax.data.photographs import Photographs
from uaps_jax.data.source import Pool
from uaps_jax.datasets.regular_files import read_regular
from uaps_jax.evaluation.decision import Decision
from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.inference.exported_input import ExportedInput
from uaps_jax.inference.onnx_file.images import SCALE
from uaps_jax.inference.pools import Predictions
from uaps_jax.methods import uncertainties


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ExportedModel:
    """An exported file.

    Attributes:
      file: its path.
      sha256: of its bytes, hexadecimal.
      class_names: background first.
      input: how it takes photographs.
      rule: of its scores.
      decision: which images are OK; None where none was set.
      photographs: of its training; None where they are not known.
      about: all of its metadata.
      run: network inputs, uint8 RGB `[N, h, w, 3]`, to its outputs by name.
    """

    file: Path
    sha256: str
    class_names: tuple[str, ...]
    input: ExportedInput
    rule: ScoreRule
    decision: Decision | None
    photographs: Photographs | None
    about: Mapping[str, str]
    run: Callable[[np.ndarray], Mapping[str, np.ndarray]] = dataclasses.field(repr=False)

    def predict(self, pool: Pool) -> Predictions:
        """The predictions of tiles, with class ids for `input.fit` "resize", else probabilities."""
        found = self.run(pool.images)
        is_one = self.input.fit == "resize"
        return Predictions(
            values=found["mask"] if is_one else found["probabilities"].transpose(0, 2, 3, 1),
            uncertainty=found["uncertainty"],
            scores=found["score"],
            kind=uncertainties.named(self.about["uncertainty"]),
        )


def open_exported(file: Path) -> ExportedModel:
    """Opens an exported file for ONNX Runtime, on the processors that this process may use.

    Raises:
      ConfigError: it cannot be read, is no ONNX file, or was not written by `--mode=export` of this
        version.
    """
    try:
        data = read_regular(file)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from error
    try:
        session = _session(data)
    except Exception as error:  # of several types, without a common one
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{file}: is not an ONNX file that can be run: {reason}") from error
    about: dict[str, str] = session.get_modelmeta().custom_metadata_map
    if missing := {"classes", "input", "score_rule", "uncertainty"} - about.keys():
        raise ConfigError(
            f"{file}: has no entry {min(missing)!r} in its metadata; write it again, by "
            "--mode=export of this version"
        )
    try:
        settings = ExportedInput.from_json(about["input"])
        rule = ScoreRule(**json.loads(about["score_rule"]))
        decision = Decision.from_json(about["decision"]) if "decision" in about else None
        class_names = tuple(map(str, json.loads(about["classes"])))
        known = about.get("photographs")
        photographs = None if known is None else Photographs.from_json(json.loads(known))
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"{file}: its metadata cannot be read: {error}; write it again, by --mode=export"
        ) from error
    if settings.fit != "resize" and settings.scale != 1:
        session = _session(_for_scaled(data))
    return ExportedModel(
        file=file,
        sha256=hashlib.sha256(data).hexdigest(),
        class_names=class_names,
        input=settings,
        rule=rule,
        decision=decision,
        photographs=photographs,
        about=about,
        run=run_of(session),
    )


def run_of(
    session: onnxruntime.InferenceSession,
) -> Callable[[np.ndarray], Mapping[str, np.ndarray]]:
    """The function that an exported model computes, of images to its outputs by name."""
    names = [output.name for output in session.get_outputs()]
    return lambda images: dict(zip(names, session.run(names, {"images": images}), strict=True))


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = processors()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _for_scaled(model: bytes) -> bytes:
    """The model for photographs that are scaled already: their tiles are cut after scaling."""
    graph = onnx.load_from_string(model)
    for constant in graph.graph.initializer:
        if constant.name == SCALE:
            constant.CopyFrom(numpy_helper.from_array(np.ones(2, np.int64), SCALE))
    return bytes(graph.SerializeToString())
