"""The TFDS builder of the synthetic data set."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

import tensorflow_datasets as tfds
from PIL import Image

from uaps_jax.datasets.array_record_builder import ArrayRecordBuilder
from uaps_jax.datasets.segmentation_builder import features
from uaps_jax.datasets.synthetic.generator import SCENES, SPLITS, make_example


@dataclasses.dataclass(eq=False, kw_only=True)
class SyntheticConfig(tfds.core.BuilderConfig):
    """What the pictures depend on.

    A data set with another seed needs a name of its own, since the name is its folder:
    `Builder(config=SyntheticConfig(name="64px_seed1", seed=1))`.

    Attributes:
      seed: seed of all examples, 0 <= seed < 2**64.
      size: width and height in pixels, at least 32.
      scene: "mixed", parts of many kinds, "line", one product on its line, or "closeup", clear
        defects of one class.
    """

    seed: int = 0
    size: int = 64
    scene: str = "mixed"


class Builder(ArrayRecordBuilder):
    """Synthetic industrial surfaces with defects; needs no download.

    Configs: "64px" (the default), "256px", "line_64px" and "closeup_64px".

    Splits: "train" (512), "val" (96) and "test" (192).

    Names are for example "train/00012". The group differs for each image: no two share a source.
    """

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {
        "1.0.0": "Initial release.",
        "1.1.0": "Feature has_mask.",
    }
    BUILDER_CONFIGS: ClassVar[list[SyntheticConfig]] = [
        SyntheticConfig(name="64px", size=64, description="Pictures of 64x64 pixels."),
        SyntheticConfig(name="256px", size=256, description="Pictures of 256x256 pixels."),
        SyntheticConfig(
            name="line_64px",
            scene="line",
            description="Pictures of 64x64 pixels of one product: rolled steel.",
        ),
        SyntheticConfig(
            name="closeup_64px",
            scene="closeup",
            description="Pictures of 64x64 pixels with clear defects of one class.",
        ),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=features(SCENES[self.builder_config.scene].labels),
            supervised_keys=("image", "mask"),
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        del dl_manager  # Nothing is downloaded.
        return {split: self._generate_examples(split) for split in SPLITS}

    def _generate_examples(self, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        config = self.builder_config
        names = list(SPLITS)
        first_group = sum(SPLITS[earlier] for earlier in names[: names.index(split)])
        for index in range(SPLITS[split]):
            image, mask = make_example(config.seed, split, index, config.size, config.scene)
            name = f"{split}/{index:05d}"
            yield (
                name,
                {
                    # As PIL images: TFDS needs TensorFlow to encode arrays.
                    "image": Image.fromarray(image),
                    "mask": Image.fromarray(mask),
                    "name": name,
                    "group": first_group + index,
                    "has_mask": 1,
                },
            )
