"""The settings that bring images to the network's input."""

from __future__ import annotations

from typing import Literal, Protocol


class InputSettings(Protocol):
    """Those of `config.DataConfig`, which describes them, or of an exported file."""

    @property
    def height(self) -> int: ...

    @property
    def width(self) -> int: ...

    @property
    def fit(self) -> Literal["resize", "pad", "crop"]: ...

    @property
    def scale(self) -> float: ...

    @property
    def resampling(self) -> Literal["nearest", "area"]: ...

    @property
    def channels(self) -> int: ...

    @property
    def transpose(self) -> bool: ...
