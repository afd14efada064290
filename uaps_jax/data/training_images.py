"""The training images of a run, in memory or streamed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from absl import logging

from uaps_jax.config import ConfigError, DataConfig
from uaps_jax.data import rough, source, whole_images
from uaps_jax.data.crops import Crops
from uaps_jax.data.source import Dataset, Images, Targets


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingImages:
    """Training images.

    Attributes:
      pools: name -> images.
      mebibytes: they take in memory, or would take.
      where: they are, in words.
    """

    pools: Mapping[str, Images]
    mebibytes: float
    where: str


def read(
    dataset: Dataset,
    names: Mapping[str, Sequence[str]],
    data: DataConfig,
    targets: Targets | None = None,
) -> TrainingImages:
    """Images of which batches are made; kept in memory up to `data.resident_mib`.

    Args:
      dataset: the dataset.
      names: pool -> its images; "labeled" is the one whose masks are used.
      data: how they are prepared.
      targets: of the pool `data.targets.part`.

    Raises:
      ConfigError: batches are to hold defects, and no labeled image has one.
    """
    every = [name for listed in names.values() for name in listed]
    has_weights = targets is not None and data.targets.weights
    weighted = len(names.get(data.targets.part, ())) if has_weights else 0
    is_crop = data.fit == "crop"
    size = (
        whole_images.mebibytes(dataset, every, data)
        if is_crop
        else source.mebibytes(len(every), weighted, data)
    )
    resident = size <= data.resident_mib
    if is_crop:
        pools: dict[str, Images] = {
            pool: whole_images.to_crop(
                dataset, listed, data, resident=resident, labeled=pool == "labeled"
            )
            for pool, listed in names.items()
        }
        where = "are kept in memory" if resident else "are decoded for every crop"
        return TrainingImages(pools=pools, mebibytes=size, where=f"{where}, and cut on the host")
    bring = source.read if resident else source.files
    pools = {
        pool: bring(dataset, listed, data, targets if pool == data.targets.part else None)
        for pool, listed in names.items()
    }
    pools["labeled"] = rough.rough_images(pools["labeled"], data.rough)
    for pool, images in pools.items():
        if data.defect_share_of(pool):
            pools[pool] = _with_defective(images, data, pool)
    return TrainingImages(
        pools=pools,
        mebibytes=size,
        where="live on the devices" if resident else "are streamed",
    )


def _with_defective(images: Images, data: DataConfig, pool: str) -> Images:
    """Images that know which of them have a defect; those on disk are read for it.

    Raises:
      ConfigError: none of the labeled ones has one.
    """
    assert not isinstance(images, Crops)
    masks = source.masks(images)
    defective = tuple(row for row, mask in enumerate(masks) if rough.image_labels(mask))
    if pool != "labeled":
        logging.info("%d of %d %s images have a defect", len(defective), len(images.names), pool)
    elif not defective:
        raise ConfigError(
            f"data.defect_share = {data.defect_share}: none of the {len(images.names)} labeled "
            f"images has a defect at {data.width} x {data.height} px; set it to 0, or label images "
            "with defects"
        )
    return dataclasses.replace(images, defective=defective)
