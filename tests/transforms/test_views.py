"""One view of each image of a batch."""

import dataclasses
import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import oracles
from uaps_jax.configs import neu_uaps
from uaps_jax.configs.parts import views as configured
from uaps_jax.labels import IGNORE
from uaps_jax.methods import views as method_views
from uaps_jax.methods.base import labeled_stream, unlabeled_stream
from uaps_jax.transforms import build, views

KEY = jax.random.key(0)
RELEASED = neu_uaps.get_config().views.labeled


def policy(**changes):
    """Settings of a view: only the given changes are on."""
    return dataclasses.replace(configured.view(), **changes)


def drawing(settings, name=""):
    """The compiled `(key, images, masks) -> (images, masks)` of these settings."""
    view = build.view(settings)

    def draw(key, images, masks):
        drawn = views.draw(key, {"image": images, "mask": masks}, view, name)
        return drawn["image"], drawn["mask"]

    return jax.jit(draw)


def weak_view(key, images, masks, settings):
    return drawing(settings)(key, images, masks)


def batch(count=4, size=8, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(256, size=(count, size, size, 3)).astype(np.uint8)
    return images, rng.integers(4, size=(count, size, size)).astype(np.uint8)


@pytest.mark.parametrize("chosen", [policy(), RELEASED], ids=["identity", "released"])
def test_images_become_float32_and_masks_stay_uint8(chosen):
    images, masks = batch()
    x, y = weak_view(KEY, images, masks, chosen)
    assert (x.shape, x.dtype) == (images.shape, jnp.float32)
    assert (y.shape, y.dtype) == (masks.shape, jnp.uint8)


@pytest.mark.parametrize("noise_first", [False, True])
def test_a_policy_of_probabilities_zero_is_the_identity(noise_first):
    images, masks = batch()
    x, y = weak_view(KEY, images, masks, policy(noise_first=noise_first))
    assert_array_equal(x, images)
    assert_array_equal(y, masks)


def test_a_change_of_probability_zero_is_not_compiled():
    text = drawing(policy(hflip=0.5)).lower(KEY, *batch()).as_text()
    assert "stablehlo.reverse" in text
    text = drawing(policy()).lower(KEY, *batch()).as_text()
    assert "stablehlo.reverse" not in text
    assert "stablehlo.clamp" not in text


def test_a_view_does_not_depend_on_the_rest_of_the_batch():
    images, masks = batch(4)
    draw = drawing(RELEASED)
    x, y = draw(KEY, images, masks)
    small_x, small_y = draw(KEY, images[:2], masks[:2])
    assert_allclose(small_x, x[:2], rtol=1e-6)
    assert_array_equal(small_y, y[:2])
    images[2:], masks[2:] = 0, 0
    other_x, _ = draw(KEY, images, masks)
    assert_allclose(other_x[:2], x[:2], rtol=1e-6)
    assert np.abs(x - images).max() > 1  # something happened


def test_equal_images_get_different_views_and_the_key_decides():
    images, masks = batch(1)
    images, masks = np.repeat(images, 4, 0), np.repeat(masks, 4, 0)
    draw = drawing(RELEASED)
    x, _ = draw(KEY, images, masks)
    assert len(np.unique(np.asarray(x).reshape(4, -1), axis=0)) >= 3
    again, _ = draw(jax.random.key(0), images, masks)
    assert_array_equal(again, x)
    other, _ = draw(jax.random.key(1), images, masks)
    assert np.abs(other - x).max() > 1


def test_images_and_masks_keep_their_alignment_through_a_view():
    row, column = np.mgrid[:4, :4].astype(np.uint8)
    images = np.repeat(np.stack([row, column, row], -1)[None], 64, 0)
    masks = np.repeat((row * 4 + column)[None], 64, 0)
    x, y = weak_view(KEY, images, masks, policy(hflip=0.5, vflip=0.5, rot90=0.5))
    assert_array_equal(x[..., 0] * 4 + x[..., 1], y)
    # Flips and quarter turns together reach all eight symmetries of the square.
    assert len(np.unique(np.asarray(y).reshape(64, -1), axis=0)) == 8


def test_photometric_changes_leave_masks_alone():
    images, masks = batch()
    x, y = weak_view(KEY, images, masks, policy(brightness_contrast=1.0, blur=1.0, noise=1.0))
    assert np.abs(x - images).max() > 1
    assert_array_equal(y, masks)


@pytest.mark.parametrize("noise_first", [False, True])
def test_noise_comes_last_or_first(noise_first):
    # 200 + 127.5 saturates: noise that came before has left no trace.
    images = np.full((3, 16, 16, 3), 200, np.uint8)
    masks = np.zeros((3, 16, 16), np.uint8)
    chosen = policy(
        brightness_contrast=1.0,
        contrast_limit=(0.0, 0.0),
        brightness_limit=(0.5, 0.5),
        noise=1.0,
        noise_first=noise_first,
    )
    x, _ = weak_view(KEY, images, masks, chosen)
    below = np.asarray(x) < 255
    assert not below.any() if noise_first else below.mean() > 0.4


def test_noise_is_added_once():
    images = np.full((2, 64, 64, 3), 128, np.uint8)
    masks = np.zeros((2, 64, 64), np.uint8)
    for noise_first in (False, True):
        chosen = policy(noise=1.0, noise_variance=(25.0, 25.0), noise_first=noise_first)
        x, _ = weak_view(KEY, images, masks, chosen)
        assert np.var(x) == pytest.approx(25, rel=0.06)


def test_blur_follows_brightness_and_contrast():
    # A checkerboard whose white saturates: blurred first, it would be grey and then brightened.
    board = (255 * (np.indices((16, 16)).sum(0) % 2)).astype(np.uint8)
    images = np.broadcast_to(board[None, :, :, None], (1, 16, 16, 3))
    masks = np.zeros((1, 16, 16), np.uint8)
    light = {"contrast_limit": (0.0, 0.0), "brightness_limit": (0.5, 0.5)}
    x, _ = weak_view(KEY, images, masks, policy(brightness_contrast=1.0, blur=1.0, **light))
    lit = oracles.brightness_contrast(images[0], 1.0, 0.5)
    after = [oracles.box_blur(lit, k) for k in (3, 5, 7)]
    before = [
        oracles.brightness_contrast(oracles.box_blur(images[0], k), 1.0, 0.5) for k in (3, 5, 7)
    ]
    assert min(np.abs(x[0] - expected).max() for expected in after) < 1e-2
    assert min(np.abs(x[0] - expected).max() for expected in before) > 1


def test_normalize_equals_the_oracle():
    images, _ = batch()
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    normalize = jax.jit(functools.partial(views.normalize, mean=mean, std=std, dtype=jnp.float32))
    expected = oracles.normalize(images, mean, std)
    assert_allclose(normalize(images), expected, rtol=1e-5, atol=1e-6)
    assert_allclose(normalize(images.astype(np.float32)), expected, rtol=1e-5, atol=1e-6)


def test_normalize_casts_after_computing_in_float32():
    images, _ = batch()
    mean, std = (0.5314,) * 3, (0.1357,) * 3
    result = views.normalize(images, mean, std, jnp.bfloat16)
    assert result.dtype == jnp.bfloat16
    wide = views.normalize(images, mean, std, jnp.float32)
    assert_array_equal(result, wide.astype(jnp.bfloat16))


def views_of(config, *streams):
    return method_views.weak_views(config, {stream.pool: stream for stream in streams})


def test_each_stream_is_normalised_and_labeled_ones_keep_integer_masks():
    config = neu_uaps.get_config()
    config.views.labeled = config.views.unlabeled = policy()
    images, masks = batch()
    given = {
        "labeled": {"image": images, "mask": masks, "weight": masks * 51, "index": np.arange(4)},
        "unlabeled": {"image": images, "index": np.arange(4)},
    }
    made = jax.jit(views_of(config, labeled_stream(config), unlabeled_stream(config)))(KEY, given)
    assert set(made) == {"labeled", "unlabeled"}
    assert set(made["unlabeled"]) == {"image"}
    assert set(made["labeled"]) == {"image", "mask", "weight"}
    assert_allclose(made["labeled"]["weight"], masks / 5, rtol=1e-6)  # of 0..255
    assert made["labeled"]["mask"].dtype == jnp.int32
    assert_array_equal(made["labeled"]["mask"], masks)
    expected = oracles.normalize(images, config.data.mean, config.data.std)
    for stream in made.values():
        assert_allclose(stream["image"], expected, rtol=1e-5, atol=1e-6)


def test_streams_draw_different_views_and_the_labeled_ones_are_those_of_supervised_learning():
    config = neu_uaps.get_config()
    config.views.labeled.rot90 = config.views.labeled.blur = 0.0  # fewer programs to compile
    config.views.unlabeled = dataclasses.replace(config.views.labeled)
    images, masks = batch(6)
    stream = {"image": images, "mask": masks}
    both = jax.jit(views_of(config, labeled_stream(config), unlabeled_stream(config)))(
        KEY, {"labeled": stream, "unlabeled": stream}
    )
    alone = jax.jit(views_of(config, labeled_stream(config)))(KEY, {"labeled": stream})
    differs = np.abs(both["labeled"]["image"] - both["unlabeled"]["image"]).max((1, 2, 3)) > 0.01
    assert differs.sum() >= 4
    assert_allclose(both["labeled"]["image"], alone["labeled"]["image"], rtol=1e-5, atol=1e-5)
    assert_array_equal(both["labeled"]["mask"], alone["labeled"]["mask"])
    assert np.abs(alone["labeled"]["image"] - method_views.normalizer(config)(images)).max() > 0.01


def test_each_stream_follows_the_policy_of_its_pool():
    config = neu_uaps.get_config()
    config.views.labeled, config.views.unlabeled = policy(hflip=1.0), policy(vflip=1.0)
    images, _ = batch()
    given = {name: {"image": images} for name in ("labeled", "first", "second")}
    unlabeled = unlabeled_stream(config)
    streams = {"labeled": labeled_stream(config), "first": unlabeled, "second": unlabeled}
    made = jax.jit(method_views.weak_views(config, streams))(KEY, given)
    expected = oracles.normalize(images, config.data.mean, config.data.std)
    for name, axis in (("labeled", 2), ("first", 1), ("second", 1)):
        flipped = np.flip(expected, axis)
        assert_allclose(made[name]["image"], flipped, rtol=1e-5, atol=1e-6)


def test_a_second_view_shares_the_geometry_and_nothing_else():
    images, masks = batch(count=16, size=8)
    turning = policy(hflip=0.5, vflip=0.5, rot90=0.5, grid_distortion=0.5)
    one, one_mask = drawing(turning)(KEY, images, masks)
    other, other_mask = drawing(turning, "strong")(KEY, images, masks)
    assert_array_equal(one, other)
    assert_array_equal(one_mask, other_mask)
    bright = policy(brightness_contrast=0.5)
    one, _ = drawing(bright)(KEY, images, masks)
    other, _ = drawing(bright, "strong")(KEY, images, masks)
    lit_one, lit_other = ((np.asarray(x) != images).any((1, 2, 3)) for x in (one, other))
    assert (lit_one != lit_other).any()


def test_a_strong_view_has_the_geometry_of_one_section_and_the_colours_of_another():
    images, masks = batch(count=8, size=8)
    weak = policy(hflip=0.5, brightness_contrast=1.0)
    drawn = views.draw(KEY, {"image": images}, build.view(weak, configured.photometric()), "strong")
    flipped, _ = weak_view(KEY, images, masks, policy(hflip=0.5))
    assert_array_equal(drawn["image"], flipped)


CHANGES = (
    *("hflip", "vflip", "rot90", "grid_distortion", "brightness_contrast"),
    *("blur", "jitter", "pixel_dropout", "noise"),
)


@pytest.mark.parametrize("name", ["", "strong"])
@pytest.mark.parametrize("noise_first", [False, True])
def test_views_are_those_of_the_first_version(noise_first, name):
    # reference/views.npy holds what the program drew before a view became a list of steps, for
    # noise last and first and both views: [2, 2, B, H, W, 4], the mask as the fourth channel.
    rng = np.random.default_rng(5)
    images = rng.integers(256, size=(2, 10, 10, 3)).astype(np.uint8)
    masks = rng.integers(5, size=(2, 10, 10)).astype(np.uint8)
    settings = policy(
        **dict.fromkeys(CHANGES, 0.7),
        contrast_limit=(-0.2, 0.5),
        brightness_limit=(-0.1, 0.4),
        jitter_limits=(0.3, 0.2, 0.4, 0.1),
        pixel_dropout_rate=0.1,
        noise_variance=(10.0, 50.0),
        noise_first=noise_first,
    )
    x, y = drawing(settings, name)(jax.random.key(11), images, masks)
    reference = np.load(Path(__file__).parent / "reference" / "views.npy")
    expected = reference[int(noise_first), int(name == "strong")]
    assert_array_equal(y, expected[..., 3])
    assert_allclose(x, expected[..., :3], rtol=1e-6, atol=1e-4)  # other processors round otherwise


def test_every_field_moves_along():
    row, column = np.mgrid[:10, :10].astype(np.uint8)
    masks = np.repeat((row * 10 + column)[None], 12, 0)
    images = np.repeat(masks[..., None], 3, -1)
    fields = {"image": images, "mask": masks, "weight": masks / np.float32(100), "valid": masks > 4}
    moving = policy(hflip=0.5, vflip=0.5, rot90=0.5, grid_distortion=0.5, blur=1.0, noise=1.0)
    drawn = jax.jit(lambda key: views.draw(key, fields, build.view(moving)))(KEY)
    assert {name: x.dtype for name, x in drawn.items()} == {
        **{name: x.dtype for name, x in fields.items()},
        "image": np.float32,
    }
    moved = np.asarray(drawn["mask"])
    assert (moved != masks).any((1, 2)).sum() >= 8
    assert_allclose(drawn["weight"], moved / 100, rtol=1e-6)
    assert_array_equal(drawn["valid"], moved > 4)


NEW = {
    "scale": ("scale and crop", True),
    "grayscale": ("grayscale", False),
    "gaussian_blur": ("gaussian blur", False),
    "cutout": ("cutout", False),
}


@pytest.mark.parametrize("setting", NEW)
def test_each_probability_adds_its_step_and_the_rest_stays(setting):
    released = [(step.name, step.geometric) for step in build.view(RELEASED)]
    view = build.view(dataclasses.replace(RELEASED, **{setting: 0.5}))
    steps = [(step.name, step.geometric) for step in view]
    assert NEW[setting] in steps
    assert [step for step in steps if step != NEW[setting]] == released


def test_the_strong_view_of_the_weak_to_strong_family():
    strong = configured.weak_to_strong()
    names = [step.name for step in build.view(policy(hflip=0.5), strong)]
    assert names == ["flip", "jitter", "grayscale", "gaussian blur"]
    images, masks = batch(count=60, size=16)
    view = build.view(policy(), strong)
    fields = {"image": images, "mask": masks}
    one, other = (
        np.asarray(jax.jit(lambda k, n=name: views.draw(k, fields, view, n)["image"])(KEY))
        for name in ("strong", "second strong")
    )
    for x in (one, other):
        assert x.min() >= -0.001
        assert x.max() <= 255.001  # rounding of the blur
        same = (x == images).all((1, 2, 3)).mean()
        assert same == pytest.approx(0.2 * 0.8 * 0.5, abs=0.1)  # none of the three
        grey = (np.abs(x - x[..., :1]) < 1e-2).all((1, 2, 3)).mean()
        assert grey == pytest.approx(0.2, abs=0.15)
    assert (one != other).any((1, 2, 3)).mean() > 0.9


def test_scale_crop_and_cutout_follow_their_settings():
    images, masks = batch(count=40, size=16)
    settings = policy(
        scale=1.0, scale_range=(0.5, 0.5), crop_height=12, cutout=0.5, cutout_area=(0.1, 0.1)
    )
    x, y = weak_view(KEY, images, masks, settings)
    assert x.shape == (40, 12, 16, 3)
    outside = np.asarray(y) == IGNORE
    assert outside[:, 8:].all()
    assert outside[:, :, 8:].all()
    holes = outside[:, :8, :8].any((1, 2)).mean()
    assert 0.1 < holes < 0.5  # half of the images have one, and some lie below and to the right
    labels = np.asarray(y)[:, :8, :8]
    kept = labels != IGNORE
    assert_array_equal(labels[kept], masks[:, 1::2, 1::2][kept])
    strong = drawing(settings, "strong")(KEY, images, masks)[1]
    assert (np.asarray(strong) != y).any((1, 2)).mean() > 0.3  # a Cutout of its own


def test_steps_of_the_same_name_are_refused():
    images, masks = batch()
    view = build.view(policy(hflip=0.5))
    fields = {"image": images, "mask": masks}
    with pytest.raises(ValueError, match=r"2 steps with the name 'flip'.*a name of its own"):
        views.draw(KEY, fields, view + view)


def test_streams_of_cropped_views_have_their_size():
    config = neu_uaps.get_config()
    config.views.labeled = policy(crop_height=8, crop_width=4)
    config.views.unlabeled = policy(crop_height=8, crop_width=4, scale=0.5)
    images, masks = batch(size=10)
    given = {"labeled": {"image": images, "mask": masks}, "unlabeled": {"image": images}}
    made = jax.jit(views_of(config, labeled_stream(config), unlabeled_stream(config)))(KEY, given)
    assert {made[s]["image"].shape for s in made} == {(4, 8, 4, 3)}
    assert made["labeled"]["mask"].shape == (4, 8, 4)
