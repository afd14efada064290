"""How many images of a training are labeled."""

from __future__ import annotations

from typing import Any

from uaps_jax.config import DataConfig

Budget = int | float
"""An int is `data.labeled_count`, a float `data.labeled_ratio`: 1 is one image, 1.0 all of them."""


def overrides(budget: Budget) -> dict[str, Any]:
    """The settings that give a training this budget."""
    if isinstance(budget, int):
        return {"data.labeled_list": "", "data.labeled_count": budget}
    return {"data.labeled_list": "", "data.labeled_count": 0, "data.labeled_ratio": budget}


def text(budget: Budget) -> str:
    """As `of` for a training with this budget."""
    return f"labeled_{'count' if isinstance(budget, int) else 'ratio'} {budget:g}"


def of(data: DataConfig) -> str:
    """The setting that decides how many images are labeled, such as "labeled_ratio 0.1"."""
    if data.labeled_list:
        return f"labeled_list {data.labeled_list}"
    return text(data.labeled_count or float(data.labeled_ratio))
