"""Settings of the data: which images a run sees, and how they are split."""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from uaps_jax.config.checks import check
from uaps_jax.config.rules import above, at_least, each, rule, within
from uaps_jax.config.section import Section, lookup
from uaps_jax.labels import IGNORE

if TYPE_CHECKING:
    from uaps_jax.config.schema import Config

SEEDS = within(0, 2**32 - 1)


@dataclass(slots=True, kw_only=True)
class FolderConfig(Section):
    """Where a user's own images are (data.name = "folder"); relative to data.manual_dir."""

    images: str  # folder of images; "": images
    masks: str  # folder of masks of the same names, for some of the images; "": masks
    table: str  # in place of both: CSV with the columns image, mask, split, group
    classes: tuple[str, ...]  # "name=value", background first; (): data.manual_dir/classes.yaml
    group: str  # regular expression: what in a name tells which part is shown; "": each its own
    # value of a 16-bit image that becomes 255: 65535, or 4095 for 12-bit cameras
    white: int = field(metadata=within(1, 2**16 - 1))

    def problems(self, config: "Config") -> Iterator[str]:
        """Settings of a folder for another dataset, and two ways to name the images."""
        for name in ("images", "masks", "table", "classes", "group"):
            key = f"data.folder.{name}"
            unused = not getattr(self, name) or config.data.name == "folder"
            yield from check(config, key, unused, 'is for data.name = "folder"')
        yield from check(
            config,
            "data.folder.table",
            not (self.table and (self.images or self.masks)),
            "takes the place of data.folder.images and data.folder.masks; set one or the other",
        )


@dataclass(slots=True, kw_only=True)
class DataConfig(Section):
    """Which images a run sees."""

    name: str  # TFDS builder, optionally with its own config: "neu_seg", "synthetic/64px"
    data_dir: str  # folder of the built datasets
    manual_dir: str  # folder of the raw data; "": downloads, in the working directory
    folder: FolderConfig
    height: int = field(metadata=above(0))  # the network sees height x width pixels
    width: int = field(metadata=above(0))
    fit: Literal["resize", "pad"]  # nearest neighbour, as OpenCV; or pad (or crop), nothing scaled
    transpose: bool  # swap height and width after resizing, as the released KolektorSDD2 code does
    channels: int = field(metadata=rule(lambda v: v in (1, 3), "must be 1 or 3"))  # 1 for grey
    classes: int = field(  # background included; 0: as many as the dataset has
        metadata=rule(
            lambda v: v == 0 or 2 <= v < IGNORE,
            f"must be 2 to {IGNORE - 1}, or 0 for as many as the dataset has",
        )
    )
    mean: tuple[float, ...]  # per channel, subtracted after division by 255
    std: tuple[float, ...] = field(metadata=each(above(0)))  # per channel, divided by after that
    # training images up to this size live on the devices; more are streamed
    resident_mib: int = field(metadata=at_least(0))
    # that decode streamed images; 0: half as many as there are processors
    stream_threads: int = field(metadata=at_least(0))
    # how images are split into train, val and test
    protocol: Literal[
        "published", "full", "ppl", "reconstructed", "grouped", "grouped_v1", "native", "file"
    ]
    shares: tuple[float, ...] = field(  # "grouped", "grouped_v1": shares of train, val and test
        metadata=rule(
            lambda v: len(v) == 3 and min(v) > 0 and abs(sum(v) - 1) < 1e-6,
            "must be three positive shares, of train, val and test, that add up to 1",
        )
    )
    split_file: str  # "file": a split.json
    # ratio of the training images with a mask that is labeled ("grouped": of their leakage groups,
    # one image each); 1: every mask is used
    labeled_ratio: float = field(metadata=rule(lambda v: 0 < v <= 1, "must be in (0, 1]"))
    # if positive, so many are labeled, whatever labeled_ratio says
    labeled_count: int = field(metadata=at_least(0))
    labeled_list: str  # if set, a file with the names of the labeled images, one a line
    # "grouped": the other images of labeled leakage groups are in no part, or unlabeled
    labeled_group_copies: Literal["exclude", "unlabeled"]
    # seed of the labeled/unlabeled draw (and of "grouped")
    split_seed: int = field(metadata=SEEDS)

    @property
    def network_size(self) -> tuple[int, int]:
        """Height and width of the images that the network sees."""
        return (self.width, self.height) if self.transpose else (self.height, self.width)

    def problems(self, config: "Config") -> Iterator[str]:
        """Values for another number of channels, and settings that exclude each other."""
        for key in ("data.mean", "data.std"):
            yield from check(
                config,
                key,
                len(lookup(config, key)) == self.channels,
                f"needs one value for each of the {self.channels} channels",
            )
        for key in ("data.labeled_count", "data.labeled_list"):
            yield from check(
                config,
                key,
                not lookup(config, key) or self.protocol != "file",
                'is for protocols that choose the labeled images; "file" names them',
            )
        yield from check(
            config,
            "data.labeled_list",
            not (self.labeled_list and self.labeled_count),
            f"names the labeled images, data.labeled_count = {self.labeled_count} draws them; "
            "set one",
        )
        yield from check(
            config,
            "data.split_file",
            bool(self.split_file) == (self.protocol == "file"),
            'belongs to data.protocol = "file", which needs it',
        )
