"""The bytes of a photograph to its verdict, by an exported model."""

from __future__ import annotations

import base64
import io
import math
import threading
import time
from typing import Any, NamedTuple

import numpy as np

from uaps_jax.data import tiling
from uaps_jax.data.source import Pool
from uaps_jax.inference import defects, files, images, results, tiles
from uaps_jax.inference.exported import ExportedModel, processors
from uaps_jax.inference.pools import Predictions
from uaps_jax.inference.results import Result
from uaps_jax.serving.timings import Timings


class Milliseconds(NamedTuple):
    """The times of a photograph.

    Attributes:
      waiting: for a place, and for the photographs before it.
      decode: from the bytes of the file to pixels.
      network: in ONNX Runtime.
      decision: all else: cutting and blending tiles, the score, the defects, the mask's PNG.
    """

    waiting: float
    decode: float
    network: float
    decision: float

    @property
    def total(self) -> float:
        """Their sum."""
        return sum(self)


class Answer(NamedTuple):
    """What is answered about a photograph.

    Attributes:
      result: what was found.
      tiles: number of its network inputs.
      milliseconds: of its parts.
      mask: as PNG; None if it was not asked for.
    """

    result: Result
    tiles: int
    milliseconds: Milliseconds
    mask: bytes | None


class Service:
    """Judges photographs, one at a time, as `--mode=predict` does.

    Args:
      model: an exported file.
      mm_per_pixel: side of a pixel of the photographs in mm; None if it is unknown.

    Attributes:
      model: as given.
      timings: of all photographs.
    """

    def __init__(self, model: ExportedModel, mm_per_pixel: float | None) -> None:
        self.model, self.timings = model, Timings()
        self._mm_per_pixel = mm_per_pixel
        self._one = threading.Lock()

    def warm_up(self) -> float:
        """Runs the network once on a batch of black images; the seconds that it took."""
        settings = self.model.input
        count = 1 if settings.fit == "resize" else settings.batch_size
        started = time.perf_counter()
        self.model.run(np.zeros((count, settings.height, settings.width, 3), np.uint8))
        return time.perf_counter() - started

    def check(self, data: bytes, *, with_mask: bool, waited: float = 0.0) -> Answer:
        """Judges a photograph.

        Args:
          data: its file: PNG, JPEG, BMP or TIFF.
          with_mask: whether the answer has the mask.
          waited: how long it has waited before, in seconds.

        Raises:
          ImageError: it cannot be decoded.
          ValueError: its score is NaN.
        """
        arrived = time.perf_counter() - waited
        with self._one:
            answer = self._checked(data, arrived, with_mask=with_mask)
        if not math.isfinite(answer.result.score):
            raise ValueError(
                f"the score of the photograph is {answer.result.score}: the network of "
                f"{self.model.file} cannot be used"
            )
        self.timings.add(answer.milliseconds.total, not_ok=answer.result.not_ok)
        return answer

    def _checked(self, data: bytes, arrived: float, *, with_mask: bool) -> Answer:
        model, settings, spent = self.model, self.model.input, 0.0

        def predict(pool: Pool, number: int) -> Predictions:
            del number
            nonlocal spent
            started = time.perf_counter()
            predictions = model.predict(pool)
            spent += time.perf_counter() - started
            return predictions

        started = time.perf_counter()
        photograph = images.decoded(data, "the photograph", settings.white)
        photograph = photograph.compared(model.photographs)
        read = time.perf_counter()
        tiled = tiling.tiled("photograph", lambda: photograph.pixels, settings, settings.batch_size)
        size = min(settings.batch_size, len(tiled.corners))
        [output] = tiles.outputs([tiled], predict, settings, model.rule, size)
        mask = results.mask_of(output.values)
        result = results.found(
            mask,
            output.score,
            settings,
            model.rule,
            model.decision,
            name="photograph",
            file="the photograph",
            notes=photograph.notes,
        )
        png = _png(mask) if with_mask else None
        ended = time.perf_counter()
        seconds = (started - arrived, read - started, spent, ended - read - spent)
        milliseconds = Milliseconds(*(1000 * one for one in seconds))
        return Answer(result, len(tiled.corners), milliseconds, png)

    def entries(self, answer: Answer) -> dict[str, Any]:
        """An answer as JSON has it."""
        result, decision, rule = answer.result, self.model.decision, self.model.rule
        height, width = result.size
        milliseconds = answer.milliseconds
        entries: dict[str, Any] = {
            "verdict": result.verdict or None,
            "score": result.score,
            "threshold": None if decision is None else decision.threshold,
            "minimum_area_px": results.minimum_area(result.size, self.model.input, rule),
            "image_width_px": width,
            "image_height_px": height,
            "defects": [
                defects.described(defect, self.model.class_names, self._mm_per_pixel)
                for defect in result.defects
            ],
            "defects_left_out": result.left_out,
            "notes": list(result.notes),
            "tiles": answer.tiles,
            "batch": min(self.model.input.batch_size, answer.tiles),
            "milliseconds": {
                name: round(value, 2)
                for name, value in (milliseconds._asdict() | {"total": milliseconds.total}).items()
            },
        }
        if answer.mask is not None:
            entries["mask_png"] = base64.b64encode(answer.mask).decode()
        return entries

    def about(self) -> dict[str, Any]:
        """What is served: the file, its classes, sizes and decision."""
        model, settings = self.model, self.model.input
        return {
            "file": str(model.file),
            "sha256": model.sha256,
            "classes": list(model.class_names),
            "fit": settings.fit,
            "height": settings.height,
            "width": settings.width,
            "scale": settings.scale,
            "batch": settings.batch_size,
            "processors": processors(),
            "score": model.rule.words(),
            "threshold": None if model.decision is None else model.decision.threshold,
            "mm_per_pixel": self._mm_per_pixel,
        }


def _png(mask: np.ndarray) -> bytes:
    file = io.BytesIO()
    files.coloured(mask).save(file, "PNG")
    return file.getvalue()
