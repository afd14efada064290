"""TensorBoard events: scalars, settings and pictures."""

import io

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.plugins.hparams import plugin_data_pb2

from tests import tiny
from uaps_jax import config as config_lib
from uaps_jax import methods, palette
from uaps_jax.training import loop, metric_writer, previews, workdir


def events(folder):
    """The summaries of the events of a run, as TensorBoard reads them: (step, tag, value)."""
    (file,) = (folder / "events").iterdir()
    for event in LegacyEventFileLoader(str(file)).Load():
        for value in event.summary.value:
            yield event.step, value.tag, value


def plugin_content(value):
    assert value.metadata.plugin_data.plugin_name == "hparams"
    return plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The summaries of a short training."""
    folder = tmp_path_factory.mktemp("run")
    config = config_lib.validate(tiny.plain("supervised", steps=3))
    loop.train(config, folder, tiny.pools(), tiny.CLASS_NAMES, tiny.record())
    return config, list(events(folder))


def test_the_settings_are_hyperparameters_of_tensorboard(written):
    config, summaries = written
    by_tag = {tag: value for _, tag, value in summaries if tag.startswith("_hparams_/")}
    start = plugin_content(by_tag["_hparams_/session_start_info"]).session_start_info
    values = {
        name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()
    }
    assert values["method.name"] == "supervised"
    assert values["train.steps"] == 3
    assert values["train.deterministic"] is False
    assert values["network.widths"] == "[4, 6]"
    flat = config_lib.flatten(config)
    assert values["optimizer.learning_rate"] == flat["optimizer.learning_rate"]
    assert set(flat) - set(values) == set(workdir.MACHINE) & set(flat)
    experiment = plugin_content(by_tag["_hparams_/experiment"]).experiment
    metrics = {info.name.tag for info in experiment.metric_infos}
    assert metrics == set(metric_writer.COMPARED)
    assert metrics <= {tag for _, tag, _ in summaries}


def test_every_evaluation_writes_pictures_of_the_same_validation_images(written):
    _, summaries = written
    found = [(step, tag, value.image) for step, tag, value in summaries if value.HasField("image")]
    names = tiny.pools().val.names
    chosen = [f"validation/{names[row]}" for row in (0, 2, 3, 5)]
    assert [(step, tag) for step, tag, _ in found] == [(3, tag) for tag in chosen]
    for _, _, image in found:
        with Image.open(io.BytesIO(image.encoded_image_string)) as picture:
            assert picture.size == (image.width, image.height) == (3 * tiny.SIZE, tiny.SIZE)


def test_a_picture_shows_image_truth_and_prediction():
    pool = tiny.pool(1)
    image, truth = pool.images[0], pool.masks[0]
    prediction = np.where(truth == 1, 2, 0).astype(np.uint8)
    shown = np.split(previews.picture(image, truth, prediction), 3, axis=1)
    np.testing.assert_array_equal(shown[0], image)
    np.testing.assert_array_equal(shown[1], palette.overlay(image, truth))
    np.testing.assert_array_equal(shown[2], palette.overlay(image, prediction))


def test_a_large_image_is_drawn_small_and_keeps_thin_defects():
    truth = np.zeros((300, 600), np.uint8)
    truth[150] = 1
    image = np.full((300, 600, 1), 128, np.uint8)
    drawn = previews.picture(image, truth, np.zeros_like(truth))
    assert drawn.shape == (64, 3 * 128, 3)
    assert (drawn[:, 128:256] != 128).any(axis=(0, 2)).all()
    assert (drawn[:, 256:] == 128).all()


def test_the_predictions_of_a_picture_are_those_of_the_predictor():
    config = config_lib.validate(tiny.plain("supervised"))
    method = methods.build(config)
    variables = method.variables(*method.init(0))
    pool, predictor = tiny.pool(3), method.predictor("")
    drawn = previews.make_preview_function(predictor, pool, batch_size=4)(variables)
    masks = np.asarray(predictor(variables, pool.images).argmax(-1))
    for row, (tag, picture) in enumerate(drawn.items()):
        assert tag == f"validation/{pool.names[row]}"
        expected = previews.picture(pool.images[row], pool.masks[row], masks[row])
        np.testing.assert_array_equal(picture, expected)
    assert len(drawn) == 3
