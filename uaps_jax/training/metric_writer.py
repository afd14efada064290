"""The metrics of a run as JSON lines and as TensorBoard events."""

from __future__ import annotations

import io
import json
import math
import os
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary

from uaps_jax import config as config_lib
from uaps_jax import files
from uaps_jax.config import Config
from uaps_jax.training import processes, workdir

COMPARED = ("val/image_iou", "val/image_dice", "val/dataset_iou")
"""The metrics beside the settings in TensorBoard's hparams plugin."""


class Writer(Protocol):
    """Writes metrics, warnings, settings and pictures."""

    def write(self, step: int, prefix: str, values: dict[str, float]) -> None: ...

    def warn(self, step: int, text: str) -> None: ...

    def write_settings(self, config: Config) -> None: ...

    def write_picture(self, step: int, tag: str, picture: np.ndarray) -> None: ...

    def close(self) -> None: ...


def metric_writer(directory: Path, start: int) -> Writer:
    """The writer of this process; only the first of several processes writes."""
    return MetricWriter(directory, start) if processes.is_first() else NullWriter()


class NullWriter:
    """A `Writer` that writes nothing."""

    def write(self, step: int, prefix: str, values: dict[str, float]) -> None:
        pass

    def warn(self, step: int, text: str) -> None:
        pass

    def write_settings(self, config: Config) -> None:
        pass

    def write_picture(self, step: int, tag: str, picture: np.ndarray) -> None:
        pass

    def close(self) -> None:
        pass


class MetricWriter:
    """Writes `metrics.jsonl`, one object per line, and TensorBoard events.

    The file has the metrics and the warnings, the events the metrics, the settings and the
    pictures.
    """

    def __init__(self, directory: Path, start: int) -> None:
        """Opens both; lines that are repeated are removed: of steps after `start`, and all at 0."""
        self._file = directory / workdir.METRICS
        if self._file.exists():
            lines = self._file.read_text(errors="replace").splitlines()
            kept = [line for line in lines if start and _step(line) <= start]
            files.write_text(self._file, "".join(f"{line}\n" for line in kept))
        self._lines = self._file.open("a")
        # tensorboardX's SummaryWriter has a thread that ends when the disk is full; its queue then
        # blocks the run.
        (directory / "events").mkdir(exist_ok=True)
        self._events = EventsWriter(str(directory / "events" / "events"), f".{os.getpid()}")
        self._event(start + 1, session_log=SessionLog(status=SessionLog.START))

    def write(self, step: int, prefix: str, values: dict[str, float]) -> None:
        """Adds metrics; NaN and infinity, which JSON does not have, become null."""
        metrics = {
            f"{prefix}/{name}": workdir.finite_or_none(value) for name, value in values.items()
        }
        self._add({"step": step} | metrics)
        for name, value in metrics.items():
            if value is not None:
                self._event(step, summary=summary.scalar(name, value))
        self._events.flush()

    def warn(self, step: int, text: str) -> None:
        """Adds a warning: `{"step": ..., "warning": ...}`."""
        self._add({"step": step, "warning": text})

    def write_settings(self, config: Config) -> None:
        """Adds the settings for TensorBoard's hparams plugin, except those of the machine."""
        settings = {
            key: value if isinstance(value, bool | int | float | str) else json.dumps(value)
            for key, value in config_lib.flatten(config).items()
            if key not in workdir.MACHINE
        }
        experiment, start, _ = summary.hparams(settings, dict.fromkeys(COMPARED))
        self._event(0, summary=experiment)
        self._event(0, summary=start)
        self._events.flush()

    def write_picture(self, step: int, tag: str, picture: np.ndarray) -> None:
        """Adds a picture, uint8 RGB `[H, W, 3]`, as JPEG."""
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=85)
        height, width, channels = picture.shape
        encoded = Summary.Image(
            height=height, width=width, colorspace=channels, encoded_image_string=file.getvalue()
        )
        self._event(step, summary=Summary(value=[Summary.Value(tag=tag, image=encoded)]))
        self._events.flush()

    def _add(self, entry: dict[str, Any]) -> None:
        self._lines.write(json.dumps(entry) + "\n")
        self._lines.flush()

    def _event(self, step: int, **content: Any) -> None:
        self._events.write_event(Event(wall_time=time.time(), step=step, **content))

    def close(self) -> None:
        self._lines.close()
        self._events.close()


def _step(line: str) -> float:
    """Step of a line; infinity for an incomplete or damaged line."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return math.inf
