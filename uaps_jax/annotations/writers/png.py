"""Index masks as palette PNG, and `classes.yaml`: what the folder dataset reads beside `images`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from uaps_jax import palette
from uaps_jax.annotations import class_list
from uaps_jax.annotations.proposals import Proposal, complete_folder
from uaps_jax.datasets.folder.class_map import IGNORE_NAME
from uaps_jax.labels import IGNORE


def write(proposals: Sequence[Proposal], classes: Sequence[str], folder: Path) -> None:
    """Writes `masks/NAME.png` for each image, and `classes.yaml`; see `Writer`."""
    with complete_folder(proposals, classes, folder) as partial:
        for proposal in proposals:
            path = partial / "masks" / f"{proposal.stem}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(palette.png(proposal.pixels(classes)))
        values = {name: value for value, name in enumerate(classes)}
        class_list.write(partial, values | {IGNORE_NAME: IGNORE})
