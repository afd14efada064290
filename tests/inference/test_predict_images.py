"""Prediction of folders: every size, either orientation, nothing written from bad input."""

import dataclasses
import functools
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from tests import tiny
from uaps_jax import methods
from uaps_jax.config import ConfigError
from uaps_jax.data import prepare
from uaps_jax.data.source import Pool
from uaps_jax.datasets.common import DataError
from uaps_jax.inference import files, pools, tiles
from uaps_jax.inference import folder as folders
from uaps_jax.inference.trained import TrainedModel


def by_brightness(config):
    """A method that needs no training: dark pixels are class 1, bright ones class 2."""

    def probabilities(variables, images):
        grey = images.astype(jnp.float32).mean(-1)
        return jax.nn.one_hot(jnp.where(grey < 60, 1, jnp.where(grey > 200, 2, 0)), 3)

    def uncertainty(variables, images, key):
        return jnp.where(images.astype(jnp.float32).mean(-1) > 200, 0.5, 0.0)

    method = methods.build(config)
    return dataclasses.replace(method, predictors={"main": probabilities}, uncertainty=uncertainty)


def model_of(config, method, variables, folder):
    return TrainedModel(
        config=config,
        method=method,
        directory=folder,
        checkpoint="latest",
        step=0,
        variables=variables,
    )


def predict_folder(config, method, variables, folder, target):
    return folders.predict_folder(model_of(config, method, variables, folder), folder, target)


def save(file, array):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array.astype(np.uint8)).save(file)


def read(file):
    return np.array(Image.open(file))


def striped(height, width):
    image = np.full((height, width), 128)
    image[: height // 2, : width // 4] = 0
    image[height // 2 :, width // 2 :] = 255
    return image


@pytest.mark.parametrize("transpose", [False, True])
def test_results_have_the_size_and_orientation_of_the_images(tmp_path, transpose):
    config = tiny.config()
    config.data.height, config.data.width, config.data.transpose = 32, 16, transpose
    sizes = {"a": (64, 32), "deep/b": (16, 48), "c": (32, 16), "d": (32, 32), "e": (96, 64)}
    for name, size in sizes.items():
        save(tmp_path / "in" / f"{name}.png", striped(*size))
    count = predict_folder(config, by_brightness(config), {}, tmp_path / "in", tmp_path / "out")
    assert count == 5
    for name, (height, width) in sizes.items():
        image = striped(height, width)
        expected = np.where(image == 0, 1, np.where(image == 255, 2, 0))
        np.testing.assert_array_equal(read(tmp_path / "out" / "mask" / f"{name}.png"), expected)
        unsure = read(tmp_path / "out" / "uncertainty" / f"{name}.png")
        np.testing.assert_array_equal(unsure, np.where(expected == 2, 128, 0))
        assert read(tmp_path / "out" / "overlay" / f"{name}.png").shape == (height, width, 3)


def test_a_pool_in_pieces_is_predicted_as_in_one():
    config = tiny.config()
    method = methods.build(config)
    variables = method.variables(*method.init(0))
    size = config.evaluation.batch_size
    make = pools.make_predictor(config, method, tiny.SCORE, soft=False)
    run = functools.partial(make, batch_size=size)
    pool = tiny.pool(8)
    whole = run(variables, pool, first=0)
    pieces = [
        run(
            variables,
            Pool(
                names=pool.names[start : start + size],
                images=pool.images[start : start + size],
                masks=pool.masks[start : start + size],
            ),
            first=start // size,
        )
        for start in range(0, 8, size)
    ]
    np.testing.assert_array_equal(np.concatenate([p.masks for p in pieces]), whole.masks)
    unsure = np.concatenate([p.uncertainty for p in pieces])
    np.testing.assert_array_equal(unsure, whole.uncertainty)
    assert unsure[:4].std() > 0
    again = run(variables, pool, first=1)
    assert (again.uncertainty != whole.uncertainty).any()


def predicted_at_once(config, method, variables, images, first):
    """Masks and uncertainty maps of images whose tiles are all in one pool."""
    data = config.data
    corners = [prepare.tile_corners(image.shape[:2], data) for image in images]
    tiles = np.stack(
        [prepare.tile(i, c, data) for i, cs in zip(images, corners, strict=True) for c in cs]
    )
    pool = Pool(
        names=tuple(map(str, range(len(tiles)))),
        images=tiles,
        masks=np.zeros(tiles.shape[:3], np.uint8),
    )
    run = pools.make_predictor(config, method, tiny.SCORE, soft=data.fit == "pad")
    actual = run(variables, pool, first=first, batch_size=config.evaluation.batch_size)
    rows = iter(zip(actual.values, actual.uncertainty, strict=True))
    for image, places in zip(images, corners, strict=True):
        whole, unsure = (prepare.TileAssembler(image.shape[:2], data) for _ in range(2))
        for corner in places:
            seen, doubtful = next(rows)
            whole.add(seen, corner)
            unsure.add(doubtful, corner)
        mask = whole.result().argmax(-1) if data.fit == "pad" else whole.result()
        yield mask, unsure.result()


@pytest.mark.parametrize("fit", ["pad", "resize"])
@pytest.mark.parametrize("held", [0, 2**29])
def test_no_more_than_a_batch_is_held_and_that_changes_nothing(fit, held, tmp_path, monkeypatch):
    config = tiny.config()
    config.data.fit = fit
    method = methods.build(config)
    variables = method.variables(*method.init(0))
    random = np.random.default_rng(0)
    # With "pad" they have 1, 1, 9 and 7 tiles: batches of 4 end inside of images.
    sizes = [(16, 12), (9, 16), (40, 33), (1, 88)]
    images = [random.integers(0, 256, (*size, 3), np.uint8) for size in sizes]
    for number, image in enumerate(images):
        save(tmp_path / f"{number}.png", image)
    groups = [(images[:3], 0), (images[3:], 3)] if fit == "pad" else [(images, 0)]
    expected = [
        result
        for group, first in groups
        for result in predicted_at_once(config, method, variables, group, first)
    ]

    batches, written, make = [], [], pools.make_predictor

    def watched(*args, **kwargs):
        run = make(*args, **kwargs)

        def watch(variables, pool, *, first, batch_size):
            batches.append((first, len(pool.names)))
            return run(variables, pool, first=first, batch_size=batch_size)

        return watch

    monkeypatch.setattr(tiles, "HELD_BYTES", held)
    monkeypatch.setattr(pools, "make_predictor", watched)
    monkeypatch.setattr(files, "write", lambda *given: written.append(given))
    predict_folder(config, method, variables, tmp_path, tmp_path / "out")
    assert batches == list(enumerate([4, 4, 3, 4, 3] if fit == "pad" else [4]))
    for row, (_, name, image, mask, unsure) in enumerate(written):
        assert name == str(row)
        np.testing.assert_array_equal(image, images[row])
        np.testing.assert_array_equal(mask, expected[row][0])
        np.testing.assert_array_equal(unsure, expected[row][1])
        assert unsure.std() > 0
    assert len(written) == 4


def test_a_result_that_would_lie_in_another_is_refused_before_anything_is_written(tmp_path):
    config = tiny.config()
    save(tmp_path / "in" / "b.jpg", striped(16, 16))
    save(tmp_path / "in" / "b.png" / "y.png", striped(16, 16))
    with pytest.raises(
        DataError, match=r"b\.png/y\.png: its result would lie in b\.png, the result"
    ):
        predict_folder(config, by_brightness(config), {}, tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_pipes_and_names_with_control_characters_are_named(tmp_path):
    config = tiny.config()
    save(tmp_path / "in" / "new\nline.png", striped(16, 16))
    os.mkfifo(tmp_path / "in" / "pipe.png")
    with pytest.raises(DataError) as caught:
        predict_folder(config, by_brightness(config), {}, tmp_path / "in", tmp_path / "out")
    reasons = {p.path.rsplit("/", 1)[-1]: p.reason for p in caught.value.problems}
    assert reasons.keys() == {r"new\nline.png", "pipe.png"}
    assert reasons["pipe.png"] == "cannot be read: it is a pipe, not a file"


def test_all_bad_files_are_named_and_nothing_is_written(tmp_path):
    config = tiny.config()
    save(tmp_path / "in" / "good.png", striped(16, 16))
    save(tmp_path / "in" / "good.jpg", striped(16, 16))
    (tmp_path / "in" / "empty.png").write_bytes(b"")
    (tmp_path / "in" / "cut.png").write_bytes((tmp_path / "in" / "good.png").read_bytes()[:40])
    with pytest.raises(DataError) as caught:
        predict_folder(config, by_brightness(config), {}, tmp_path / "in", tmp_path / "out")
    named = {problem.path.rsplit("/", 1)[-1] for problem in caught.value.problems}
    assert named == {"good.png", "empty.png", "cut.png"}
    assert not (tmp_path / "out").exists()


def test_no_name_leads_out_of_the_target(tmp_path):
    image = striped(16, 16)
    mask = np.zeros((16, 16), np.uint8)
    for name in (str(tmp_path / "raw"), "../raw", "a/../../raw"):
        with pytest.raises(ValueError, match="leads out of"):
            files.write(tmp_path / "out", name, image[..., None], mask, mask)
    assert not list(tmp_path.rglob("*.png"))


def test_hidden_files_and_earlier_results_are_left_out(tmp_path):
    config = tiny.config()
    save(tmp_path / "a.png", striped(16, 16))
    (tmp_path / "._a.png").write_bytes(b"x")
    for _ in range(2):
        target = tmp_path / "results"
        assert predict_folder(config, by_brightness(config), {}, tmp_path, target) == 1


def test_a_folder_that_is_missing_or_has_no_image_is_reported(tmp_path):
    config = tiny.config()
    (tmp_path / "notes.txt").write_text("no image")
    for folder, reason in ((tmp_path, "has no image"), (tmp_path / "none", "is not a folder")):
        with pytest.raises(ConfigError, match=reason):
            predict_folder(config, by_brightness(config), {}, folder, tmp_path / "out")
