"""Views from settings."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from uaps_jax.config import PhotometricConfig, ViewConfig
from uaps_jax.transforms import geometric, mixing, photometric
from uaps_jax.transforms.fields import on_image
from uaps_jax.transforms.views import Step, View


def view(geometry: ViewConfig, photometry: PhotometricConfig | None = None) -> View:
    """The view of these settings; transforms of probability 0 are left out.

    The order: scale and crop, flips, brightness and contrast, grid distortion, box blur, jitter,
    grayscale, Gaussian blur, pixel dropout, quarter turns, noise (or noise after the flips),
    Cutout. It agrees with the order of UAPS's released scripts and with that of UniMatch.

    Args:
      geometry: validated settings.
      photometry: replaces the photometric settings of `geometry`: a strong view has the geometry
        of the weak one.
    """
    return tuple(_steps(geometry, photometry or geometry))


def photometric_view(photometry: PhotometricConfig) -> View:
    """The view without a change of geometry, its steps in the order of `view`."""
    return tuple(_steps(None, photometry))


def _steps(g: ViewConfig | None, p: PhotometricConfig) -> Iterator[Step]:
    if g and (g.scale or g.crop_height or g.crop_width):
        crop = partial(
            geometric.random_scale_crop,
            probability=g.scale,
            factors=g.scale_range,
            size=(g.crop_height, g.crop_width),
        )
        yield Step("scale and crop", crop, geometric=True)
    if g and (g.hflip or g.vflip):
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
    if g and g.grid_distortion:
        distort = partial(geometric.random_grid_distortion, probability=g.grid_distortion)
        yield Step("grid distortion", distort, geometric=True)
    if p.blur:
        yield Step("blur", on_image(partial(photometric.random_blur, probability=p.blur)))
    if p.jitter:
        jitter = partial(
            photometric.random_jitter,
            probability=p.jitter,
            limits=p.jitter_limits,
            random_order=p.jitter_random_order,
        )
        yield Step("jitter", on_image(jitter))
    if p.grayscale:
        grey = partial(photometric.random_grayscale, probability=p.grayscale)
        yield Step("grayscale", on_image(grey))
    if p.gaussian_blur:
        blur = partial(
            photometric.random_gaussian_blur, probability=p.gaussian_blur, sigma=p.gaussian_sigma
        )
        yield Step("gaussian blur", on_image(blur))
    if p.pixel_dropout:
        drop = partial(
            photometric.random_pixel_dropout,
            probability=p.pixel_dropout,
            rate=p.pixel_dropout_rate,
        )
        yield Step("pixel dropout", on_image(drop))
    if g and g.rot90:
        turn = partial(geometric.random_rot90, probability=g.rot90)
        yield Step("quarter turn", turn, geometric=True)
    if p.noise and not p.noise_first:
        yield _noise(p)
    if p.cutout:
        cutout = partial(
            mixing.random_cutout,
            probability=p.cutout,
            area=p.cutout_area,
            aspect=p.cutout_aspect,
            noise=p.cutout_noise,
        )
        yield Step("cutout", cutout)


def _noise(p: PhotometricConfig) -> Step:
    noise = partial(photometric.random_noise, probability=p.noise, variance=p.noise_variance)
    return Step("noise", on_image(noise))
