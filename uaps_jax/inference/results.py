"""What was found in an image: its verdict and its defects, of the output of a network."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from uaps_jax.data import prepare, tiling
from uaps_jax.data.input_settings import InputSettings
from uaps_jax.evaluation import decision as decision_lib
from uaps_jax.evaluation.decision import Decision
from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.inference import defects
from uaps_jax.inference.defects import Defect


class Result(NamedTuple):
    """What was found in an image.

    Attributes:
      name: of the image; its pictures are written under it.
      file: as the person knows it.
      size: height and width in pixels.
      score: how much of a defect it shows, by the model's rule.
      not_ok: the verdict of the model's decision; None where it has none.
      defects: of at least the minimum area of the rule; the largest first.
      left_out: number of further ones, which are smaller and not measured.
      notes: about the file and what was left out, sentences.
    """

    name: str
    file: str
    size: tuple[int, int]
    score: float
    not_ok: bool | None
    defects: list[Defect]
    left_out: int
    notes: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The verdict in words; "" where there is none."""
        return decision_lib.verdict(self.not_ok)


def mask_of(values: np.ndarray) -> np.ndarray:
    """The mask, uint8 `[H, W]`, of one or of probabilities `[H, W, C]`."""
    return values if values.ndim == 2 else tiling.likeliest(values)


def found(
    mask: np.ndarray,
    score: float,
    data: InputSettings,
    rule: ScoreRule,
    decision: Decision | None,
    *,
    name: str,
    file: str,
    notes: tuple[str, ...],
) -> Result:
    """What was found in an image.

    Args:
      mask: class ids, uint8 `[H, W]`, at the size of the image.
      score: of the image.
      data: the settings that its network input was made with.
      rule: of the score.
      decision: judges the score; None for no verdict.
      name: as `Result.name`.
      file: as `Result.file`.
      notes: about the file.
    """
    size = (mask.shape[0], mask.shape[1])
    measured, left_out = defects.find(mask, minimum_area(size, data, rule))
    if left_out:
        notes += (
            f"the {len(measured)} largest defects are measured; {left_out} more are left out",
        )
    return Result(
        name=name,
        file=file,
        size=size,
        score=score,
        not_ok=None if decision is None else decision.is_not_ok(score),
        defects=measured,
        left_out=left_out,
        notes=notes,
    )


def minimum_area(size: tuple[int, int], data: InputSettings, rule: ScoreRule) -> int:
    """The area that a defect must have, in pixels of an image of this size; 1 for any area.

    The rule of the score has it in pixels that the network sees. Nearest neighbour makes at least
    floor(H / h) * floor(W / w) pixels of an image of `[H, W]` of each pixel that is seen at
    `[h, w]`, so that no region that is large enough for the score has a smaller area.
    """
    if not rule.has_minimum:
        return 1
    resized = data.fit == "resize"
    height, width = (data.height, data.width) if resized else prepare.scaled_size(size, data)
    return max(rule.minimum_area * (size[0] // height) * (size[1] // width), 1)
