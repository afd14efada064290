"""Settings of the random changes of training images."""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uaps_jax.config.checks import check
from uaps_jax.config.data import DataConfig
from uaps_jax.config.rules import at_least, low_high, positive_range, probability, rule
from uaps_jax.config.section import Section, lookup

if TYPE_CHECKING:
    from uaps_jax.config.schema import Config


@dataclass(slots=True, kw_only=True)
class PhotometricConfig(Section):
    """Random changes of a view's brightness and colour; probabilities are per image."""

    brightness_contrast: float = field(metadata=probability())  # of clip((1 + a) x + 255 b), 0..255
    contrast_limit: tuple[float, float] = field(metadata=low_high())  # range of a
    brightness_limit: tuple[float, float] = field(metadata=low_high())  # range of b
    blur: float = field(metadata=probability())  # of a box blur with kernel 3, 5 or 7
    # of a change of brightness, contrast, saturation and hue
    jitter: float = field(metadata=probability())
    # their four: factors max(0, 1 - limit) to 1 + limit, hue +- limit turns
    jitter_limits: tuple[float, ...] = field(
        metadata=rule(
            lambda v: len(v) == 4 and min(v) >= 0 and v[3] <= 0.5,
            "must be four limits, not negative: brightness, contrast, saturation, hue up to 0.5",
        )
    )
    jitter_random_order: bool  # in an order drawn for each image (torchvision), not in this one
    grayscale: float = field(metadata=probability())  # of grey in all channels
    gaussian_blur: float = field(metadata=probability())  # of a Gaussian blur
    # range of its sigma, in pixels
    gaussian_sigma: tuple[float, float] = field(metadata=positive_range())
    pixel_dropout: float = field(metadata=probability())  # of black pixels
    # share of the pixels that become black
    pixel_dropout_rate: float = field(metadata=probability())
    noise: float = field(metadata=probability())  # of Gaussian noise, per channel
    # range of its variance on the 0..255 scale
    noise_variance: tuple[float, float] = field(metadata=low_high(minimum=0))
    noise_first: bool  # noise before brightness and contrast (DAGM's order) instead of last
    cutout: float = field(metadata=probability())  # of a rectangle without image and label
    # range of its share of the image
    cutout_area: tuple[float, float] = field(
        metadata=rule(lambda v: 0 < v[0] <= v[1] <= 1, "must be (low, high), above 0, up to 1")
    )
    # range of its height / width
    cutout_aspect: tuple[float, float] = field(metadata=positive_range())
    cutout_noise: bool  # filled with uniform noise (ST++) instead of 0 (U2PL)


@dataclass(slots=True, kw_only=True)
class ViewConfig(PhotometricConfig):
    """Random changes of one training view, of its geometry as well."""

    hflip: float = field(metadata=probability())  # of a horizontal flip
    vflip: float = field(metadata=probability())  # of a vertical flip
    # of drawing one of the rotations 0, 90, 180, 270 degrees
    rot90: float = field(metadata=probability())
    # of stretching 5 x 5 cells by factors of 0.7 to 1.3
    grid_distortion: float = field(metadata=probability())
    scale: float = field(metadata=probability())  # of resizing by a random factor before the crop
    # of the factor: (low, high), uniform; (low, middle, high), half the time on each side
    scale_range: tuple[float, ...] = field(
        metadata=rule(
            lambda v: len(v) >= 2 and v[0] > 0 and list(v) == sorted(v),
            "must be (low, high) or (low, middle, high), in order and above 0",
        )
    )
    # of a crop at a random place, in pixels; 0: that of the image
    crop_height: int = field(metadata=at_least(0))
    crop_width: int = field(metadata=at_least(0))  # likewise

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
        """Rotations of views that are no squares, crops that are no multiples of the stride."""
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
