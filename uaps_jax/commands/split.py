"""Writes who would see which image."""

from __future__ import annotations

from absl import logging

from uaps_jax import files
from uaps_jax.commands import opening
from uaps_jax.commands.request import Request, training_config
from uaps_jax.data import protocols, splits, targets
from uaps_jax.training import workdir


def split(request: Request) -> None:
    """Writes who would see which image: `split.json` and four lists of names."""
    config, dataset = opening.open_dataset(training_config(request, "split"))
    parts = protocols.make_split(dataset, config.data)
    parts, found = targets.restrict(dataset, config.data, parts)
    opening.log_split(dataset, config, parts)
    workdir.write_split(request.workdir, protocols.record(dataset, config.data, parts, found))
    for part in splits.PARTS:
        text = "".join(f"{name}\n" for name in parts[part])
        files.write_text(request.workdir / f"{part}.txt", text)
    logging.info("written: %s and a .txt for each part", request.workdir / "split.json")
