"""The views that settings describe."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from uaps_jax.config import PhotometricConfig, ViewConfig
from uaps_jax.transforms import geometric, photometric
from uaps_jax.transforms.fields import on_image
from uaps_jax.transforms.views import Step, View


def view(geometry: ViewConfig, photometry: PhotometricConfig | None = None) -> View:
    """The view of these settings; a change of probability 0 is left out.

    The order is that of UAPS's released scripts: flips, brightness and contrast, grid distortion,
    blur, jitter, black pixels, quarter turns, noise (or noise after the flips).

    Args:
      geometry: validated settings.
      photometry: of brightness and colour, in place of those of `geometry`: a strong view has the
        geometry of the weak one.
    """
    return tuple(_steps(geometry, photometry or geometry))


def _steps(g: ViewConfig, p: PhotometricConfig) -> Iterator[Step]:
    if g.hflip or g.vflip:
        flip = partial(geometric.random_flip, horizontal=g.hflip, vertical=g.vflip)
        yield Step("flip", flip, geometric=True)
    if p.noise and p.noise_first:
        yield _noise(p)
    if p.brightness_contrast:
        light = partial(
            photometric.random_brightness_contrast,
            probability=p.brightness_contrast,
            contrast=p.contrast_limit,
            brightness=p.brightness_limit,
        )
        yield Step("brightness and contrast", on_image(light))
    if g.grid_distortion:
        distort = partial(geometric.random_grid_distortion, probability=g.grid_distortion)
        yield Step("grid distortion", distort, geometric=True)
    if p.blur:
        yield Step("blur", on_image(partial(photometric.random_blur, probability=p.blur)))
    if p.jitter:
        jitter = partial(
            photometric.random_jitter,
            probability=p.jitter,
            limits=p.jitter_limits,
            random_order=False,
        )
        yield Step("jitter", on_image(jitter))
    if p.pixel_dropout:
        drop = partial(
            photometric.random_pixel_dropout,
            probability=p.pixel_dropout,
            rate=p.pixel_dropout_rate,
        )
        yield Step("pixel dropout", on_image(drop))
    if g.rot90:
        turn = partial(geometric.random_rot90, probability=g.rot90)
        yield Step("quarter turn", turn, geometric=True)
    if p.noise and not p.noise_first:
        yield _noise(p)


def _noise(p: PhotometricConfig) -> Step:
    noise = partial(photometric.random_noise, probability=p.noise, variance=p.noise_variance)
    return Step("noise", on_image(noise))
