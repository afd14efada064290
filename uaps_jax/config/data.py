"""Settings of the data: the images of a run, their preparation and their split."""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from uaps_jax.config.checks import check
from uaps_jax.config.rough import RoughConfig
from uaps_jax.config.rules import above, at_least, each, positive_range, rule, seed, within
from uaps_jax.config.section import Section, lookup
from uaps_jax.labels import IGNORE

if TYPE_CHECKING:
    from uaps_jax.config.schema import Config


@dataclass(slots=True, kw_only=True)
class FolderConfig(Section):
    """Where a user's own images are (data.name = "folder"); paths relative to data.manual_dir."""

    images: str  # folder of images; "": images
    masks: str  # folder of masks of the same names, for some of the images; "": masks
    # what the name of a mask has behind that of its image, such as "_label"; with it, masks may lie
    # beside the images
    mask_suffix: str
    table: str  # in place of both: CSV with the columns image, mask, split, group
    classes: tuple[str, ...]  # "name=value", background first; (): data.manual_dir/classes.yaml
    # regular expression; images whose names have the same match are one leakage group; "": every
    # image is a group of its own
    group: str
    # value of a 16-bit image that becomes 255: 65535, or 4095 for 12-bit cameras
    white: int = field(metadata=within(1, 2**16 - 1))

    def problems(self, config: "Config") -> Iterator[str]:
        """Settings of a folder with another dataset, and a table together with folders."""
        for name in ("images", "masks", "mask_suffix", "table", "classes", "group"):
            key = f"data.folder.{name}"
            is_allowed = not getattr(self, name) or config.data.name == "folder"
            yield from check(config, key, is_allowed, 'can be set for data.name = "folder" only')
        yield from check(
            config,
            "data.folder.table",
            not (self.table and (self.images or self.masks or self.mask_suffix)),
            "replaces data.folder.images, data.folder.masks and data.folder.mask_suffix; set "
            "either the table or these",
        )


@dataclass(slots=True, kw_only=True)
class TargetsConfig(Section):
    """Masks in place of those of the dataset, such as pseudo-labels and rough masks."""

    # "unlabeled": of unlabeled images, of which only those that have one are used then, for methods
    # that learn them; "labeled": the training images that have one are the labeled ones, and all
    # others are unlabeled
    part: Literal["unlabeled", "labeled"]
    # folders with the files mask/NAME.png and, if `weights`, weight/NAME.png, of the size of the
    # image NAME; an image can be in one of them only; (): none
    folders: tuple[str, ...]
    names: str  # file with the names of the images to use, one a line; "": all that have a mask
    weights: bool  # whether each pixel has a weight in the loss, its value / 255; False: all are 1
    # as data.defect_share, of the unlabeled images of a batch by their masks here; if none of these
    # has a defect, all images are drawn alike
    defect_share: float = field(metadata=rule(lambda v: 0 <= v <= 1, "is a share, 0 to 1"))

    def problems(self, config: "Config") -> Iterator[str]:
        """Settings without a folder, and masks that would be made rough a second time."""
        yield from check(
            config,
            "data.rough.kind",
            config.data.rough.kind == "none" or not self.folders or self.part == "unlabeled",
            'is for masks of the dataset, and data.targets.part = "labeled" replaces them; set it '
            "to none",
        )
        yield from check(
            config,
            "data.targets.part",
            bool(self.folders) or self.part == "unlabeled",
            "has no effect without data.targets.folders",
        )
        yield from check(
            config,
            "data.targets.defect_share",
            self.defect_share == 0 or self.part == "unlabeled",
            'is for data.targets.part = "unlabeled"; set data.defect_share instead',
        )
        for key in ("data.targets.names", "data.targets.weights", "data.targets.defect_share"):
            yield from check(
                config,
                key,
                bool(self.folders) or not lookup(config, key),
                "has no effect without data.targets.folders",
            )


@dataclass(slots=True, kw_only=True)
class DataConfig(Section):
    """The images of a run, their preparation and their split."""

    name: str  # TFDS builder, optionally with its own config: "neu_seg", "synthetic/64px"
    data_dir: str  # folder of the built datasets
    manual_dir: str  # folder of the raw data; "": downloads, in the working directory
    folder: FolderConfig
    targets: TargetsConfig
    # size of the network input in pixels, before `transpose`
    height: int = field(metadata=above(0))
    width: int = field(metadata=above(0))
    # how images of any size are brought to it. "resize": stretched or shrunk to it. "pad": their
    # centre, padded where they are smaller. "crop": training cuts a random crop of this size out of
    # them, and whole images are evaluated and predicted in overlapping tiles of this size
    fit: Literal["resize", "pad", "crop"]
    # "pad", "crop": images are scaled by this factor first, their aspect ratio kept; 1: not at all
    scale: float = field(metadata=within(0.01, 10))
    # "nearest": nearest neighbour, as OpenCV does it; "area": means over the areas of the new
    # pixels, without aliasing where an image becomes smaller (masks: the class at their centres)
    resampling: Literal["nearest", "area"]
    # "crop": range of a further factor, drawn for each training crop, uniform in its logarithm
    crop_scale_range: tuple[float, float] = field(metadata=positive_range())
    # share of a batch's labeled images that are drawn of those with a defect, and of its labeled
    # crops that are placed so that they hold one; the others are drawn of all; 0: all of them are
    defect_share: float = field(metadata=rule(lambda v: 0 <= v <= 1, "is a share, 0 to 1"))
    transpose: bool  # swap height and width after resizing, as the released KolektorSDD2 code does
    channels: int = field(metadata=rule(lambda v: v in (1, 3), "must be 1 or 3"))  # 1 for grey
    classes: int = field(  # number, background included; 0: that of the dataset
        metadata=rule(
            lambda v: v == 0 or 2 <= v < IGNORE,
            f"must be 2 to {IGNORE - 1}, or 0 for as many as the dataset has",
        )
    )
    mean: tuple[float, ...]  # per channel, subtracted after division by 255
    std: tuple[float, ...] = field(metadata=each(above(0)))  # per channel, divided by after that
    # training images are kept in memory up to this size, in MiB, and streamed otherwise: in that of
    # the devices, or, for "crop", whole in that of the host
    resident_mib: int = field(metadata=at_least(0))
    # threads that decode streamed images; 0: half the number of processors
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
    # labeled ratio of the training images that have a mask ("grouped": of their leakage groups, one
    # image of each); 1: all of these images
    labeled_ratio: float = field(metadata=rule(lambda v: 0 < v <= 1, "must be in (0, 1]"))
    # number of labeled images ("grouped": of labeled leakage groups); 0: labeled_ratio decides
    labeled_count: int = field(metadata=at_least(0))
    labeled_list: str  # if set, a file with the names of the labeled images, one a line
    # "grouped": the other images of labeled leakage groups are in no part, or unlabeled
    labeled_group_copies: Literal["exclude", "unlabeled"]
    # seed of the labeled/unlabeled draw (and of "grouped")
    split_seed: int = field(metadata=seed())
    rough: RoughConfig

    @property
    def network_size(self) -> tuple[int, int]:
        """Height and width of the network input."""
        return (self.width, self.height) if self.transpose else (self.height, self.width)

    def defect_share_of(self, pool: str) -> float:
        """The share of a batch that is drawn of the pool's images with a defect."""
        shares = {"labeled": self.defect_share, "unlabeled": self.targets.defect_share}
        return shares.get(pool, 0.0)

    def problems(self, config: "Config") -> Iterator[str]:
        """A wrong number of channel values, and settings that exclude each other."""
        for key in ("data.mean", "data.std"):
            yield from check(
                config,
                key,
                len(lookup(config, key)) == self.channels,
                f"needs one value for each of the {self.channels} channels",
            )
        yield from self._fit_problems(config)
        for key in ("data.labeled_count", "data.labeled_list"):
            yield from check(
                config,
                key,
                not lookup(config, key) or self.protocol != "file",
                'cannot be set with data.protocol = "file": the file lists the labeled images',
            )
        yield from check(
            config,
            "data.labeled_list",
            not (self.labeled_list and self.labeled_count),
            f"lists the labeled images, and data.labeled_count = {self.labeled_count} draws them: "
            "set only one of the two",
        )
        yield from check(
            config,
            "data.split_file",
            bool(self.split_file) == (self.protocol == "file"),
            'must be set with data.protocol = "file", and only then',
        )

    def _fit_problems(self, config: "Config") -> Iterator[str]:
        """Settings that `fit` does not use."""
        yield from check(
            config,
            "data.scale",
            self.scale == 1 or self.fit != "resize",
            'can be set for data.fit = "crop" or "pad" only: "resize" has its own factors',
        )
        yield from check(
            config,
            "data.crop_scale_range",
            self.fit == "crop" or self.crop_scale_range == (1.0, 1.0),
            'can be set for data.fit = "crop" only; set it to (1.0, 1.0)',
        )
        yield from check(
            config,
            "data.targets.folders",
            not self.targets.folders or (self.fit != "crop" and self.scale == 1),
            'cannot be used with data.fit = "crop" or a data.scale other than 1',
        )
        yield from check(
            config,
            "data.rough.kind",
            self.fit != "crop" or self.rough.kind == "none",
            'cannot be used with data.fit = "crop", whose masks stay exact',
        )
