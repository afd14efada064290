"""Methods on the first run's data: 8 labels of synthetic surfaces, as `configs/first.py`.

UniMatch V2 and Dirichlet Match have the ramp of the recommended method, its thresholds of classes
and its boxes from labeled images; the others have their usual settings. The last entries leave out
one part of the recommended method each. Each seed draws its own 8 images.

    python run.py --config=configs/studies/synthetic_methods.py
"""

from typing import Any

from uaps_jax.configs import first
from uaps_jax.configs.parts.methods import RECOMMENDED_RAMP
from uaps_jax.configs.studies import base
from uaps_jax.study.grid import Bars, Entry, Grid

RAMP: dict[str, Any] = {
    "method.ramp_interval": 1,
    "method.ramp_length": round(RECOMMENDED_RAMP * first.STEPS),
}
CLASSWISE: dict[str, Any] = {"method.threshold_rule": "classwise"}
BOXES: dict[str, Any] = {"method.labeled_paste": "always"}


def _fixmatch(**overrides: Any) -> Entry:
    return Entry(method="fixmatch", overrides=overrides)


ENTRIES = {
    "supervised": base.METHODS["supervised, EMA"],
    **{name: base.METHODS[name] for name in ("UAPS", "Mean Teacher", "CPS")},
    "FixMatch": base.METHODS["FixMatch"],
    "UniMatch V2": Entry(method="unimatch_v2", overrides=RAMP | CLASSWISE | BOXES),
    "Dirichlet Match": Entry(method="dirichlet_match", overrides=RAMP),
    "recommended": base.RECOMMENDED,
    "without the ramp": _fixmatch(**CLASSWISE, **BOXES),
    "without boxes": _fixmatch(**RAMP, **CLASSWISE),
    "without thresholds of classes": _fixmatch(**RAMP, **BOXES),
}


def get_config() -> Grid:
    """Eleven entries, three draws."""
    title = f"Synthetic surfaces, {first.LABELED} labeled images"
    grid = first.study(title, ENTRIES, seeds=(0, 1, 2))
    grid.metrics = ("image_iou", "dataset_iou", "auroc", "clean_image_false_positive_rate")
    shown: dict[str, Any] = {"dataset": "synthetic", "budget": first.LABELED}
    grid.figures = (Bars(title="Methods", entries=tuple(ENTRIES), **shown),)
    return grid
