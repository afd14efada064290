"""Findings about the size at which the network sees the images, and settings that fit them."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from uaps_jax.config import DataConfig
from uaps_jax.data import splits, visible
from uaps_jax.data.findings import Finding
from uaps_jax.data.survey import Survey
from uaps_jax.data.visible import Defects

FEW_PIXELS = 10
"""A defect of fewer pixels at the network's size is hardly seen."""

FEW_IMAGES = 10
"""Scores of fewer images with a defect depend on each of them."""

MOST_DISTORTION = 1.25
"""Images are distorted if one side is scaled by this factor more than the other."""

ENOUGH_SIDE = 5
"""Square root of the area that nine of ten defects have at the proposed scale, in pixels."""

WHOLE = 512
"""Images of this side and smaller are proposed to be resized whole, larger ones to be cropped."""

CROP = 256
"""Side of the smallest proposed crop."""

RARE = 0.3
"""If fewer crops touch a defect, every second one is proposed to hold one."""

_SCALES = (1.0, 0.75, 0.5, 0.375, 0.25, 0.1875, 0.125)
_MULTIPLE = 32  # of sides; every network takes them


def at_the_networks_size(
    survey: Survey, split: splits.Split, data: DataConfig, found: Defects
) -> list[Finding]:
    """The findings.

    Args:
      survey: measurements of the dataset.
      split: of it.
      data: size and fit of the network's input.
      found: the defects, and what is left of them with these settings.
    """
    problems = [*_lost(survey, data, found), *_distortion(survey, data)]
    findings = [*problems, *_few_images(survey, split)]
    labeled = np.flatnonzero(np.isin(survey.names, split["labeled"]))
    chance = visible.chance_of_a_defect(
        found, survey.sizes, labeled, (data.height, data.width), data.scale
    )
    is_rare = data.fit == "crop" and data.defect_share == 0 and chance < RARE
    if is_rare:
        findings.append(
            Finding(
                level="warning",
                title="few crops hold a defect",
                text=f"about {100 * chance:.1f} % of the labeled crops: the network sees little "
                "else than background. data.defect_share sets how many hold one.",
            )
        )
    if len(found.image) and (problems or is_rare):
        findings.append(_proposal(survey, labeled, data, found))
    return findings


def _lost(survey: Survey, data: DataConfig, found: Defects) -> Iterator[Finding]:
    """Defects of which no pixels are left, or few."""
    count = len(found.image)
    gone, few = found.left == 0, (found.left > 0) & (found.left < FEW_PIXELS)
    if not count or not (gone | few).any():
        return
    images = np.unique(found.image)
    left = np.bincount(found.image, weights=found.left, minlength=len(survey.names))[images]
    names = [survey.names[row] for row in images[left == 0]]
    names += [survey.names[row] for row in images[(left > 0) & (left < FEW_PIXELS)]]
    lines = [
        f"{gone.sum()} of {count} defects have no pixel left at {_seen(data)}, and {few.sum()} "
        f"have 1 to {FEW_PIXELS - 1}; of {len(images)} images with a defect, {(left == 0).sum()} "
        "show none any more."
    ]
    if data.fit == "pad":
        lines.append("data.fit=pad sees the centre of an image alone; data.fit=crop all of it.")
    is_bad = bool((left == 0).any()) or (gone | few).mean() > 0.1
    yield Finding(
        level="warning" if is_bad else "note",
        title="defects are lost or tiny at the network's size",
        text=" ".join(lines),
        names=tuple(names),
    )


def _seen(data: DataConfig) -> str:
    if data.fit == "crop":
        return f"data.scale = {data.scale}"
    return f"{data.width} x {data.height} (data.fit = {data.fit!r})"


def _distortion(survey: Survey, data: DataConfig) -> Iterator[Finding]:
    """Images whose sides are scaled by different factors."""
    if data.fit != "resize":
        return
    factors = np.array([data.height, data.width]) / survey.sizes
    ratio = factors.max(1) / factors.min(1)
    distorted = ratio > MOST_DISTORTION
    if distorted.any():
        worst = int(ratio.argmax())
        height, width = survey.sizes[worst]
        yield Finding(
            level="warning",
            title="images are distorted",
            text=f"{distorted.sum()} of {len(ratio)} images have another aspect ratio than "
            f"{data.width} x {data.height}: one side is scaled up to {ratio[worst]:.2f} times as "
            f"much as the other (an image of {width} x {height}). What is round becomes oval.",
            names=tuple(survey.names[row] for row in np.flatnonzero(distorted)),
        )


def _few_images(survey: Survey, split: splits.Split) -> Iterator[Finding]:
    """Parts in which few images have a defect."""
    index = {name: row for row, name in enumerate(survey.names)}
    defective = survey.pixels[:, 1:-1].sum(1) > 0
    counts = {part: int(defective[[index[n] for n in split[part]]].sum()) for part in split}
    few = {part: counts[part] for part in ("val", "test") if counts[part] < FEW_IMAGES}
    if few:
        listed = " and ".join(
            f"{part} has {count} image{'s' * (count != 1)} with a defect"
            for part, count in few.items()
        )
        yield Finding(
            level="warning",
            title="few images with a defect to score",
            text=f"{listed}: with fewer than {FEW_IMAGES}, each moves a score by a tenth and more. "
            f"{counts['labeled']} of {len(split['labeled'])} labeled images have one. Annotate "
            "more images with defects, or give these parts more (data.shares).",
        )


def _proposal(survey: Survey, labeled: np.ndarray, data: DataConfig, found: Defects) -> Finding:
    settings, why = proposed(survey, labeled, found)
    if settings["fit"] == "resize":  # which does not use these
        unused = {"scale": 1.0, "crop_scale_range": (1.0, 1.0)}
        settings = {**settings, **{n: v for n, v in unused.items() if getattr(data, n) != v}}
    lines = " ".join(
        shlex.quote(f"--config.data.{name}={value}") for name, value in settings.items()
    )
    return Finding(level="note", title="settings that fit these images", text=f"{why}: {lines}")


def proposed(survey: Survey, labeled: np.ndarray, found: Defects) -> tuple[Mapping[str, Any], str]:
    """Settings of `data` by name, and the reason for them.

    The scale is the smallest at which nine of ten defects keep `ENOUGH_SIDE` squared pixels. If the
    images are small then, they are resized whole, their aspect ratio kept; otherwise crops are cut.
    A crop is twice as large as nine of ten defects, and no larger than the images need.
    """
    small = math.sqrt(float(np.quantile(found.area, 0.1)))
    scale = min(s for s in _SCALES if s == 1 or s * small >= ENOUGH_SIDE)
    height, width = (float(side) * scale for side in np.median(survey.sizes, axis=0))
    left = (found.area * scale**2 >= FEW_PIXELS).mean()
    why = f"about {100 * left:.0f} % of the defects keep {FEW_PIXELS} pixels or more with"
    if max(height, width) <= WHOLE:
        sides = {"height": _rounded(height), "width": _rounded(width)}
        return {"fit": "resize", "resampling": "area", **sides}, why
    extent = float(np.quantile(found.box.max(1), 0.9)) * scale
    crop = [min(max(CROP, _rounded(2 * extent)), 2 * CROP, _rounded(s)) for s in (height, width)]
    chance = visible.chance_of_a_defect(found, survey.sizes, labeled, (crop[0], crop[1]), scale)
    settings: dict[str, Any] = {"fit": "crop", "scale": scale, "resampling": "area"}
    if scale == 1:
        del settings["resampling"]
    settings |= {"height": crop[0], "width": crop[1]}
    if chance < RARE:
        settings["defect_share"] = 0.5
        why = f"{why} (about {100 * chance:.1f} % of uniformly placed crops touch a defect)"
    return settings, why


def _rounded(side: float) -> int:
    """A side as a multiple that every network takes, rounded up."""
    return max(1, math.ceil(side / _MULTIPLE)) * _MULTIPLE
