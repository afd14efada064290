"""Prediction of many images: every size, either orientation, bad files among them."""

import dataclasses
import errno
import functools
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from tests import tiny
from uaps_jax import methods, palette
from uaps_jax.data import prepare, tiling
from uaps_jax.data.source import Pool
from uaps_jax.inference import files, images, inputs, pools
from uaps_jax.inference.predict_images import predict_images
from uaps_jax.inference.results import minimum_area
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
        refine=None,
    )


def predict_folder(config, method, variables, folder, target):
    """The results of a folder's images, and the problems of its files."""
    problems = []
    found = inputs.find(folder, config.data.folder.white, target, problems)
    model = model_of(config, method, variables, folder)
    return list(predict_images(model, found, target, problems)), problems


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
    results, problems = predict_folder(
        config, by_brightness(config), {}, tmp_path / "in", tmp_path / "out"
    )
    assert {result.name: result.size for result in results} == sizes
    assert problems == []
    for name, (height, width) in sizes.items():
        image = striped(height, width)
        expected = np.where(image == 0, 1, np.where(image == 255, 2, 0))
        with Image.open(tmp_path / "out" / "mask" / f"{name}.png") as mask:
            assert mask.mode == "P"  # class ids, in colours
            np.testing.assert_array_equal(np.array(mask), expected)
            shown = np.array(mask.convert("RGBA"))
        np.testing.assert_array_equal(shown[..., :3], palette.colour(expected))
        np.testing.assert_array_equal(shown[..., 3] > 0, expected > 0)
        unsure = read(tmp_path / "out" / "uncertainty" / f"{name}.png")
        np.testing.assert_array_equal(unsure, np.where(expected == 2, 128, 0))
        for kind, suffix in (("overlay", "png"), ("photograph", "jpg"), ("thumbnail", "jpg")):
            drawn = read(tmp_path / "out" / kind / f"{name}.{suffix}")
            assert drawn.shape == (height, width, 3)


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

    monkeypatch.setattr(tiling, "HELD_BYTES", held)
    monkeypatch.setattr(pools, "make_predictor", watched)
    monkeypatch.setattr(files, "write", lambda *given: written.append(given[:5]))
    predict_folder(config, method, variables, tmp_path, tmp_path / "out")
    assert batches == list(enumerate([4, 4, 3, 4, 3] if fit == "pad" else [4]))
    for row, (_, name, image, mask, unsure) in enumerate(written):
        assert name == str(row)
        np.testing.assert_array_equal(image, images[row])
        np.testing.assert_array_equal(mask, expected[row][0])
        np.testing.assert_array_equal(unsure, expected[row][1])
        assert unsure.std() > 0
    assert len(written) == 4


def test_bad_files_are_named_and_the_others_are_predicted(tmp_path, monkeypatch):
    config = tiny.config()
    given = tmp_path / "in"
    for name in ("good", "gone", "late", "unwritable", "new\nline"):
        save(given / f"{name}.png", striped(16, 16))
    save(given / "good.jpg", striped(16, 16))
    save(given / "good.png.d.png" / "below.png", striped(16, 16))
    save(given / "good.png.d.bmp", striped(16, 16))
    (given / "empty.png").write_bytes(b"")
    (given / "cut.png").write_bytes((given / "good.png").read_bytes()[:40])
    os.mkfifo(given / "pipe.png")
    (given / "phone.heic").write_bytes(b"x")
    (given / "notes.json").write_text("{}")
    read, write, calls = images.read_photograph, files.write, []

    def drive_goes_away(file, white):
        calls.append(file.stem)
        if file.stem == "gone" or (file.stem == "late" and calls.count("late") > 1):
            raise images.ImageError(str(file), "cannot be read: Stale file handle")
        return read(file, white)

    def write_most(target, name, *rest):
        if name == "unwritable":
            raise OSError(13, "Permission denied")
        write(target, name, *rest)

    monkeypatch.setattr(images, "read_photograph", drive_goes_away)
    monkeypatch.setattr(files, "write", write_most)
    monkeypatch.setattr(tiling, "HELD_BYTES", 0)  # pixels are read again for the pictures
    results, problems = predict_folder(config, by_brightness(config), {}, given, tmp_path / "out")
    reasons = {problem.path.rsplit("/", 1)[-1]: problem.reason for problem in problems}
    assert reasons.pop("good.png").startswith("its result would overwrite that of good.jpg: ")
    assert reasons.pop("below.png").startswith("its result would lie in good.png.d.png, the result")
    assert reasons.pop("cut.png").startswith("cannot be read: ")
    assert "control characters" in reasons.pop("new\nline.png")
    assert reasons.pop("phone.heic").startswith("is not of a format that is read")
    assert reasons == {
        "empty.png": "the file is empty",
        "pipe.png": "cannot be read: it is a pipe, not a file",
        "gone.png": "cannot be read: Stale file handle",
        "late.png": "cannot be read: Stale file handle",
        "unwritable.png": "its pictures cannot be written: Permission denied",
    }
    assert [result.file for result in results] == ["good.jpg", "good.png.d.bmp"]


def test_an_image_that_a_crf_cannot_read_again_is_named(tmp_path, monkeypatch):
    config = tiny.config()
    for name in ("a", "late", "z"):
        save(tmp_path / "in" / f"{name}.png", striped(16, 16))
    read_one, calls = images.read_photograph, []

    def drive_goes_away(file, white):
        calls.append(file.stem)
        if calls.count("late") > 1 and file.stem == "late":
            raise images.ImageError(str(file), "cannot be read: Stale file handle")
        return read_one(file, white)

    monkeypatch.setattr(images, "read_photograph", drive_goes_away)
    monkeypatch.setattr(tiling, "HELD_BYTES", 0)
    model = dataclasses.replace(
        model_of(config, by_brightness(config), {}, tmp_path),
        refine=lambda image, probabilities: probabilities[..., ::-1],
    )
    problems = []
    found = inputs.find(tmp_path / "in", 255, tmp_path / "out", problems)
    results = list(predict_images(model, found, tmp_path / "out", problems))
    assert [result.name for result in results] == ["a", "z"]
    assert [(problem.path, problem.reason) for problem in problems] == [
        ("late.png", "cannot be read: Stale file handle")
    ]
    expected = np.select([striped(16, 16) == 0, striped(16, 16) == 255], [1, 0], 2)
    np.testing.assert_array_equal(read(tmp_path / "out" / "mask" / "z.png"), expected)


def test_a_full_disk_ends_a_prediction(tmp_path, monkeypatch):
    save(tmp_path / "a.png", striped(16, 16))

    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "write", full)
    config = tiny.config()
    with pytest.raises(OSError, match="No space left"):
        predict_folder(config, by_brightness(config), {}, tmp_path, tmp_path / "out")


def test_files_that_were_changed_to_be_read_have_notes(tmp_path):
    config = tiny.config()
    config.data.folder.white = 4095
    pixels = np.full((16, 16), 128, np.uint8)
    Image.fromarray(pixels).convert("CMYK").save(tmp_path / "cmyk.jpg")
    Image.fromarray(pixels.astype(np.uint16) * 16).save(tmp_path / "deep.png")
    Image.fromarray(pixels).save(tmp_path / "plain.png")
    results, problems = predict_folder(
        config, by_brightness(config), {}, tmp_path, tmp_path / "out"
    )
    assert {result.file: result.notes for result in results} == {
        "cmyk.jpg": ("CMYK: converted to RGB without its colour profile",),
        "deep.png": ("16 bits a pixel: the value 4095 is taken as white",),
        "plain.png": (),
    }
    assert problems == []


def test_a_minimum_area_is_in_pixels_of_the_networks_input(tmp_path):
    config = tiny.config()
    config.evaluation.decision.minimum_area = 10
    model = model_of(config, methods.build(config), {}, tmp_path)
    assert minimum_area((32, 48), config.data, model.score_rule) == 10 * 2 * 3
    config.data.fit = "pad"
    assert minimum_area((32, 48), config.data, model.score_rule) == 10
    config.data.scale = 0.5
    assert minimum_area((32, 48), config.data, model.score_rule) == 10 * 2 * 2
    config.data.scale = 1.0
    config.evaluation.decision.minimum_area = 1
    assert minimum_area((32, 48), config.data, model.score_rule) == 1
    config.evaluation.decision.minimum_area = 10
    image = striped(16, 16)  # one region of 32 pixels, one of 64
    image[7, 0] = 255
    save(tmp_path / "in" / "a.png", image)
    [result], _ = predict_folder(
        config, by_brightness(config), {}, tmp_path / "in", tmp_path / "out"
    )
    assert [(defect.label, defect.area) for defect in result.defects] == [(2, 64), (1, 31)]


def test_a_region_that_meets_the_minimum_area_is_reported_at_every_size(tmp_path):
    """Nearest neighbour makes one or two rows of 24 of each row of 16 that the network sees."""
    config = tiny.config()
    config.evaluation.decision.minimum_area = 4
    image = np.full((24, 24), 128)
    image[1, 1:7] = 0  # seen in row 1 as 4 pixels, which become 6 of row 2
    save(tmp_path / "in" / "a.png", image)
    [result], _ = predict_folder(
        config, by_brightness(config), {}, tmp_path / "in", tmp_path / "out"
    )
    assert [(defect.label, defect.area) for defect in result.defects] == [(1, 6)]
    model = model_of(config, by_brightness(config), {}, tmp_path)
    assert minimum_area((24, 24), config.data, model.score_rule) == 4
    assert minimum_area((9, 40), config.data, model.score_rule) == 1


def test_no_name_leads_out_of_the_target(tmp_path):
    image = striped(16, 16)
    mask = np.zeros((16, 16), np.uint8)
    for name in (str(tmp_path / "raw"), "../raw", "a/../../raw"):
        with pytest.raises(ValueError, match="leads out of"):
            files.write(tmp_path / "out", name, image[..., None], mask, mask, 1.0, [])
    assert not list(tmp_path.rglob("*.png"))
