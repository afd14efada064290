"""The predictions of several entries on the same images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.patches import Patch

from uaps_jax import palette
from uaps_jax.datasets.plain_text import shown
from uaps_jax.reports import canvas
from uaps_jax.reports.mathtext import NO_MATH, disable_math
from uaps_jax.reports.study_figures import style


def draw(
    title: str,
    images: np.ndarray,
    truths: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    names: Sequence[str],
    class_names: Sequence[str],
    target: Path,
) -> None:
    """Draws the predictions of several entries on the same images: rows images, columns entries.

    Args:
      title: over the figure.
      images: uint8 `[N, H, W, 1 or 3]`.
      truths: class ids `[N, H, W]`; 255 where there is none.
      predictions: entry -> class ids `[N, H, W]`, from left to right.
      names: of the images.
      class_names: background first.
      target: the PNG to write.

    Raises:
      ValueError: there is no image, or masks or names do not fit the images.
    """
    masks = [truths, *predictions.values()]
    if not (len(images) == len(names) > 0) or any(m.shape != images.shape[:3] for m in masks):
        raise ValueError(
            f"images {images.shape} do not fit {len(names)} names and masks "
            f"{', '.join(str(mask.shape) for mask in masks)}"
        )
    headings = [style.wrapped(name, 20) for name in ("image", "truth", *predictions)]
    labels = [style.wrapped(name, 18) for name in names]
    columns, classes = len(headings), _classes(class_names)
    side = 1.3  # inches
    height = min(side * images.shape[1] / images.shape[2], 2.0)
    # Up to a limit, each pixel of an image gets a pixel of the figure, to keep thin defects.
    density = 1.15 * max(images.shape[1] / height, images.shape[2] / side)
    interpolation = "nearest" if density <= style.HIGHEST_DPI else "antialiased"
    text_lines = max(text.count("\n") for text in headings)
    legend_lines = math.ceil(len(classes) / columns)
    figure, axes = canvas.subplots(
        len(images),
        columns,
        figsize=(
            side * columns + 0.3 + 0.06 * max(len(s) for t in labels for s in t.split("\n")),
            height * len(images) + 0.7 + 0.14 * text_lines + 0.2 * legend_lines,
        ),
        squeeze=False,
    )
    for row, image in enumerate(images):
        pictures = (
            np.broadcast_to(image, (*image.shape[:2], 3)),
            *(palette.overlay(image, mask[row]) for mask in masks),
        )
        for axis, picture in zip(axes[row], pictures, strict=True):
            axis.imshow(picture, interpolation=interpolation)
            axis.set(xticks=[], yticks=[])
        axes[row, 0].set_ylabel(
            labels[row], fontsize=7, rotation=0, ha="right", va="center", **NO_MATH
        )
    for axis, heading in zip(axes[0], headings, strict=True):
        axis.set_title(heading, fontsize=8.5, **NO_MATH)
    style.write_title(figure, title)
    legend = figure.legend(
        handles=classes, loc="outside lower center", ncols=columns, frameon=False, fontsize=9
    )
    disable_math(legend.get_texts())
    canvas.save(figure, target, dpi=min(max(style.DPI, density), style.HIGHEST_DPI))


def _classes(class_names: Sequence[str]) -> list[Patch]:
    colours = palette.colour(np.arange(len(class_names))[None])[0] / 255
    return [
        Patch(color=colours[label], label=shown(name))
        for label, name in enumerate(class_names)
        if label
    ]
