"""The formats in which proposed masks are written, by name."""

from __future__ import annotations

from uaps_jax.annotations.proposals import Proposal, Writer
from uaps_jax.annotations.writers import coco, cvat, label_studio, labelme, png

__all__ = ["WRITERS", "Proposal", "Writer"]

WRITERS: dict[str, Writer] = {
    "png": png.write,
    "coco": coco.write,
    "labelme": labelme.write,
    "cvat_masks": cvat.write_masks,
    "cvat_coco": cvat.write_coco,
    "label_studio": label_studio.write,
}
