"""Settings of the augmentation of training images.

A comment "probability of ..." is per image.
"""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uaps_jax.config.checks import check
from uaps_jax.config.data import DataConfig
from uaps_jax.config.rules import area_range, at_least, low_high, positive_range, probability, rule
from uaps_jax.config.section import Section, lookup

if TYPE_CHECKING:
    from uaps_jax.config.schema import Config


@dataclass(slots=True, kw_only=True)
class PhotometricConfig(Section):
    """Photometric augmentation."""

    # probability of clip((1 + a) x + 255 b) to 0..255
    brightness_contrast: float = field(metadata=probability())
    contrast_limit: tuple[float, float] = field(metadata=low_high())  # range of a
    brightness_limit: tuple[float, float] = field(metadata=low_high())  # range of b
    blur: float = field(metadata=probability())  # probability of a 3, 5 or 7 box blur
    # probability of a change of brightness, contrast, saturation and hue
    jitter: float = field(metadata=probability())
    # of brightness, contrast, saturation: factors from max(0, 1 - limit) to 1 + limit; of hue: from
    # -limit to limit, in turns
    jitter_limits: tuple[float, ...] = field(
        metadata=rule(
            lambda v: len(v) == 4 and min(v) >= 0 and v[3] <= 0.5,
            "must be four limits, not negative: brightness, contrast, saturation, hue up to 0.5",
        )
    )
    jitter_random_order: bool  # a random order per image, as in torchvision; False: the order above
    grayscale: float = field(metadata=probability())  # probability of grey in all channels
    gaussian_blur: float = field(metadata=probability())  # probability of a Gaussian blur
    # range of the blur's standard deviation, in pixels
    gaussian_sigma: tuple[float, float] = field(metadata=positive_range())
    pixel_dropout: float = field(metadata=probability())  # probability of pixel dropout
    # fraction of the pixels that become black
    pixel_dropout_rate: float = field(metadata=probability())
    noise: float = field(metadata=probability())  # probability of Gaussian noise, per channel
    # range of the noise's variance, on the 0..255 scale
    noise_variance: tuple[float, float] = field(metadata=low_high(minimum=0))
    noise_first: bool  # noise before brightness and contrast, as in the DAGM script; False: last
    cutout: float = field(metadata=probability())  # probability of a rectangle without label
    # range of the rectangle's fraction of the image
    cutout_area: tuple[float, float] = field(metadata=area_range())
    # range of the rectangle's height / width
    cutout_aspect: tuple[float, float] = field(metadata=positive_range())
    cutout_noise: bool  # filled with uniform noise (ST++); False: with 0 (U2PL)


@dataclass(slots=True, kw_only=True)
class ViewConfig(PhotometricConfig):
    """Geometric and photometric augmentation of one view."""

    hflip: float = field(metadata=probability())  # probability of a horizontal flip
    vflip: float = field(metadata=probability())  # probability of a vertical flip
    # probability of a rotation by 0, 90, 180 or 270 degrees, drawn uniformly
    rot90: float = field(metadata=probability())
    # probability of stretching the cells of a 5 x 5 grid by factors of 0.7 to 1.3
    grid_distortion: float = field(metadata=probability())
    # probability of resizing by a random factor before the crop
    scale: float = field(metadata=probability())
    # of the factor: (low, high), uniform; (low, middle, high), uniform in one of the two intervals,
    # each with probability 1/2
    scale_range: tuple[float, ...] = field(
        metadata=rule(
            lambda v: len(v) >= 2 and v[0] > 0 and list(v) == sorted(v),
            "must be (low, high) or (low, middle, high), in order and above 0",
        )
    )
    # height of a crop at a random position, in pixels; 0: height of the image
    crop_height: int = field(metadata=at_least(0))
    crop_width: int = field(metadata=at_least(0))  # width of the crop, likewise

    def size(self, data: DataConfig) -> tuple[int, int]:
        """Height and width of the view."""
        height, width = data.network_size
        return self.crop_height or height, self.crop_width or width


@dataclass(slots=True, kw_only=True)
class ViewsConfig(Section):
    """The views of both streams."""

    labeled: ViewConfig
    unlabeled: ViewConfig

    def problems(self, config: "Config") -> Iterator[str]:
        """Rotations of views that are not square, and crop sizes that do not fit the stride."""
        stride = config.network.stride
        for stream in ("labeled", "unlabeled"):
            view: ViewConfig = getattr(self, stream)
            height, width = view.size(config.data)
            yield from check(
                config,
                f"views.{stream}.rot90",
                view.rot90 == 0 or height == width,
                f"needs square images, not {height} x {width}; set it to 0",
            )
            for key in (f"views.{stream}.crop_height", f"views.{stream}.crop_width"):
                yield from check(
                    config,
                    key,
                    lookup(config, key) % stride == 0,
                    f"must be a multiple of {stride}, the stride of the network "
                    f"({config.network.name}), or 0",
                )
