"""How an exported file takes photographs, as a line of JSON in its metadata."""

from __future__ import annotations

import dataclasses
import json
from typing import Literal

from uaps_jax.config import Config


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportedInput:
    """How photographs become the input of an exported file; an `InputSettings`.

    Attributes:
      height: of the network's input, and of a tile, before any transposition.
      width: likewise.
      fit: as `data.fit`.
      scale: as `data.scale`.
      resampling: as `data.resampling`.
      grey: whether the network sees grey values.
      white: as `data.folder.white`.
      batch_size: tiles at once.
    """

    height: int
    width: int
    fit: Literal["resize", "pad", "crop"]
    scale: float
    resampling: Literal["nearest", "area"]
    grey: bool
    white: int
    batch_size: int

    @property
    def channels(self) -> int:
        """Of what the file takes: RGB, of which it makes grey values itself."""
        return 3

    @property
    def transpose(self) -> bool:
        """False: the file transposes by itself."""
        return False

    def to_json(self) -> str:
        """One line of JSON, with an entry for each attribute."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ExportedInput:
        """The input of `to_json`.

        Raises:
          ValueError: it is not one.
        """
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(f"not an input: {error}") from error


def of_config(config: Config) -> ExportedInput:
    """The input of the file that is exported with these settings."""
    data = config.data
    return ExportedInput(
        height=data.height,
        width=data.width,
        fit=data.fit,
        scale=data.scale,
        resampling=data.resampling,
        grey=data.channels == 1,
        white=data.folder.white,
        batch_size=config.evaluation.batch_size,
    )
