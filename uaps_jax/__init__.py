"""uaps_jax: a functional JAX toolkit for semi-supervised defect segmentation.

    import uaps_jax

    config = uaps_jax.load_config("configs/synthetic_uaps.py")
    model = uaps_jax.train(config, "runs/synthetic_uaps")

    model = uaps_jax.load("runs/synthetic_uaps")
    prediction = model.predict("part.png")  # mask, probabilities, uncertainty, score, not_ok

JAX is imported by the first use of a function.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uaps_jax.commands.training import train
    from uaps_jax.configuration_files import load_config
    from uaps_jax.inference import load

__version__ = "0.1.0"
__all__ = ["__version__", "load", "load_config", "train"]

_OFFERED = {
    "load": "uaps_jax.inference",
    "load_config": "uaps_jax.configuration_files",
    "train": "uaps_jax.commands.training",
}
"""Function -> module that defines it."""


def __getattr__(name: str) -> Any:
    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_OFFERED[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
