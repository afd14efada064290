"""Settings of the random changes of training images."""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uaps_jax.config.checks import check
from uaps_jax.config.rules import low_high, probability, rule
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
    jitter_limits: tuple[float, ...] = field(  # their four: factors 1 +- limit, hue +- limit turns
        metadata=rule(
            lambda v: len(v) == 4 and all(0 <= limit <= 1 for limit in v),
            "must be four limits in 0..1: brightness, contrast, saturation, hue",
        )
    )
    pixel_dropout: float = field(metadata=probability())  # of black pixels
    # share of the pixels that become black
    pixel_dropout_rate: float = field(metadata=probability())
    noise: float = field(metadata=probability())  # of Gaussian noise, per channel
    # range of its variance on the 0..255 scale
    noise_variance: tuple[float, float] = field(metadata=low_high(minimum=0))
    noise_first: bool  # noise before brightness and contrast (DAGM's order) instead of last


@dataclass(slots=True, kw_only=True)
class ViewConfig(PhotometricConfig):
    """Random changes of one training view, of its geometry as well."""

    hflip: float = field(metadata=probability())  # of a horizontal flip
    vflip: float = field(metadata=probability())  # of a vertical flip
    # of drawing one of the rotations 0, 90, 180, 270 degrees
    rot90: float = field(metadata=probability())
    # of stretching 5 x 5 cells by factors of 0.7 to 1.3
    grid_distortion: float = field(metadata=probability())


@dataclass(slots=True, kw_only=True)
class ViewsConfig(Section):
    """The views of both streams."""

    labeled: ViewConfig
    unlabeled: ViewConfig

    def problems(self, config: "Config") -> Iterator[str]:
        """Rotations of images that are no squares."""
        data = config.data
        for key in ("views.labeled.rot90", "views.unlabeled.rot90"):
            yield from check(
                config,
                key,
                lookup(config, key) == 0 or data.height == data.width,
                f"needs square images, not {data.height} x {data.width}; set it to 0",
            )
