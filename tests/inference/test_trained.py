"""A trained model from Python: predictions, other checkpoints, overrides, errors."""

import dataclasses
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import uaps_jax
from tests import tiny, weak_oracles
from tests.inference.exports import decided
from uaps_jax import config as config_lib
from uaps_jax import inference, methods
from uaps_jax.config import ConfigError
from uaps_jax.data import prepare, resample
from uaps_jax.evaluation import image_score
from uaps_jax.inference import ImageError, TrainedModel, inputs, trained
from uaps_jax.inference.predict_images import predict_images
from uaps_jax.training import checkpoints, decisions, optimizers
from uaps_jax.training import state as state_lib
from uaps_jax.training.checkpoints import CheckpointError

PROJECT = Path(__file__).resolve().parents[2]


def save(folder, settings, steps):
    """Checkpoints of a network that was not trained; each has other variables."""
    settings = config_lib.validate(settings)
    method = methods.build(settings)
    optimizer = optimizers.build(settings.optimizer, method.parameter_groups)
    with checkpoints.manager(folder, settings.checkpoint) as opened:
        for step in steps:
            state = state_lib.create(method, optimizer, settings.optimizer, seed=step)
            state = dataclasses.replace(state, step=state.step + step)
            variables = method.variables(state.params, state.method_state)
            scores = {"image_dice": float(-step), "step": step}
            checkpoints.save(opened, state, variables, settings, tiny.record(), scores)
    return settings


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A work directory of UAPS with two checkpoints, of which the first is the best."""
    folder = tmp_path_factory.mktemp("run")
    return folder, save(folder, tiny.config("uaps"), (3, 5))


@pytest.fixture(scope="module")
def model(run):
    return uaps_jax.load(run[0])


def random_image(height=24, width=20, channels=3):
    shape = (height, width, channels)[: 2 + (channels > 1)]
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_a_model_says_what_it_is(run, model):
    assert isinstance(model, TrainedModel)
    assert (model.step, model.checkpoint) == (3, "best")
    assert model.config == run[1]
    assert model.class_names == tiny.CLASS_NAMES
    assert (model.predictor, model.predictors) == ("main", ("main", "ensemble"))
    assert model.uncertainty_name == "KL of the decoders"
    assert model.uncertainty_kind.unit == "nats"


def test_an_uncertainty_of_an_outside_method_needs_no_kind(model):
    def brightness(variables, images, key):
        return images.mean(-1)

    method = dataclasses.replace(model.method, uncertainty=brightness)
    other = dataclasses.replace(model, method=method, compiled={})
    image = np.full((16, 16, 3), 100, np.uint8)
    assert other.predict(image).uncertainty.max() == 100
    assert other.uncertainty_kind == ("uncertainty of the method", "", 1.0)


def test_a_predicted_variance_is_white_at_its_largest_value(tmp_path):
    settings = tiny.config("dueb")
    settings.method.form = "repaired"
    save(tmp_path / "run", settings, (3,))
    model = uaps_jax.load(tmp_path / "run")
    assert model.uncertainty_kind.unit == "squared logits"
    (tmp_path / "in").mkdir()
    Image.fromarray(random_image()).save(tmp_path / "in" / "a.png")
    sources = inputs.find(tmp_path / "in", 65535, tmp_path / "out", [])
    list(predict_images(model, sources, tmp_path / "out", []))
    variance = model.predict(tmp_path / "in" / "a.png").uncertainty
    found = np.array(Image.open(tmp_path / "out" / "uncertainty" / "a.png"))
    np.testing.assert_allclose(found, 255 * variance / np.exp(3), atol=0.51)
    assert 0 < found.max() < 255


def test_a_prediction_is_what_the_network_computes(model):
    image = random_image()
    mask, probabilities, uncertainty, score, not_ok = model.predict(image)
    small = prepare.image(image, model.config.data)
    expected = np.asarray(model.method.predictor("main")(model.variables, small[None]))[0]
    expected = resample.nearest(expected, 24, 20)
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    np.testing.assert_array_equal(mask, probabilities.argmax(-1))
    assert (mask.shape, mask.dtype) == ((24, 20), np.uint8)
    assert (probabilities.shape, probabilities.dtype) == ((24, 20, 3), np.float32)
    assert (uncertainty.shape, uncertainty.dtype) == ((24, 20), np.float32)
    assert uncertainty.min() >= 0
    assert uncertainty.std() > 0
    seen = model.method.predictor("main")(model.variables, small[None])
    assert score == pytest.approx(
        image_score.score(np.asarray(seen)[0], model.score_rule), rel=1e-5
    )
    assert (model.decision, not_ok) == (None, None)


def test_grey_arrays_and_files_are_images_too(model, tmp_path):
    grey = random_image(channels=1)
    Image.fromarray(grey).save(tmp_path / "a.png")
    expected = model.predict(np.stack([grey] * 3, -1))
    for image in (grey, str(tmp_path / "a.png"), tmp_path / "a.png"):
        for actual, wanted in zip(model.predict(image), expected, strict=True):
            np.testing.assert_array_equal(actual, wanted)


@pytest.mark.parametrize("fit", ["resize", "pad"])
def test_a_list_is_predicted_as_the_images_of_a_folder(run, tmp_path, fit):
    config = config_lib.from_flat(config_lib.flatten(run[1]) | {"data.fit": fit})
    model = trained.restore(config, run[0], "latest")
    images = [random_image(20 + 3 * number, 17) for number in range(5)]
    for number, image in enumerate(images):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / "in" / f"{number}.png")
    sources = inputs.find(tmp_path / "in", 65535, tmp_path / "out", [])
    written = list(predict_images(model, sources, tmp_path / "out", []))
    results = model.predict([images[0], tmp_path / "in" / "1.png", *images[2:]])
    assert len(results) == 5
    for number, prediction in enumerate(results):
        mask = np.array(Image.open(tmp_path / "out" / "mask" / f"{number}.png"))
        np.testing.assert_array_equal(prediction.mask, mask)
        assert prediction.score == pytest.approx(written[number].score, rel=1e-5)
        unsure = np.array(Image.open(tmp_path / "out" / "uncertainty" / f"{number}.png"))
        expected = np.round(255 * prediction.uncertainty.clip(0, 1))
        np.testing.assert_array_equal(unsure, expected)
    assert model.predict([]) == []


def test_a_crf_refines_predictions_of_images_folders_and_pools(run, model, tmp_path):
    refined = uaps_jax.load(run[0], overrides={"evaluation.crf.iterations": 3})
    crf = refined.config.evaluation.crf
    grey = np.array([0.299, 0.587, 0.114])
    image = np.repeat(np.repeat(random_image(4, 4), 6, 0), 5, 1)
    plain, actual = model.predict(image), refined.predict(image)
    expected = weak_oracles.crf(image @ grey, plain.probabilities, crf)
    np.testing.assert_allclose(actual.probabilities, expected, atol=1e-5)
    assert np.abs(actual.probabilities - plain.probabilities).max() > 0.01
    np.testing.assert_array_equal(actual.mask, actual.probabilities.argmax(-1))
    np.testing.assert_array_equal(actual.uncertainty, plain.uncertainty)
    (tmp_path / "in").mkdir()
    Image.fromarray(image).save(tmp_path / "in" / "a.png")
    sources = inputs.find(tmp_path / "in", 65535, tmp_path / "out", [])
    list(predict_images(refined, sources, tmp_path / "out", []))
    written = np.array(Image.open(tmp_path / "out" / "mask" / "a.png"))
    np.testing.assert_array_equal(written, actual.mask)
    pool = tiny.pool(5)
    found, unrefined = refined.predict_pool(pool), model.predict_pool(pool)
    np.testing.assert_array_equal(found.uncertainty, unrefined.uncertainty)
    assert found.scores.shape == (5,)
    np.testing.assert_allclose(found.scores, unrefined.scores, rtol=1e-6)
    for row, pixels in enumerate(pool.images):
        small = np.asarray(model.method.predictor("main")(model.variables, pixels[None]))[0]
        expected = weak_oracles.crf(pixels @ grey, small, crf).argmax(-1)
        np.testing.assert_array_equal(found.masks[row], expected)
    assert (found.masks != unrefined.masks).any()


def test_another_checkpoint_has_other_variables_and_compiles_nothing(model):
    image = random_image()
    first = model.predict(image)
    other = model.at(5)
    assert (other.step, other.checkpoint) == (5, "5")
    assert other.compiled is model.compiled
    assert (other.predict(image).probabilities != first.probabilities).any()
    np.testing.assert_array_equal(model.at("best").predict(image).mask, first.mask)


def test_a_predictor_is_chosen_by_its_name(run, model):
    ensemble = uaps_jax.load(run[0], predictor="ensemble")
    assert ensemble.predictor == "ensemble"
    difference = ensemble.predict(random_image())[1] - model.predict(random_image())[1]
    assert np.abs(difference).max() > 1e-6
    with pytest.raises(ConfigError, match="'teacher': must be one of main, ensemble"):
        uaps_jax.load(run[0], predictor="teacher")


def test_overrides_say_where_data_are_and_how_to_evaluate(run):
    overrides = {"data.data_dir": "there", "evaluation.batch_size": 7, "data.classes": 0}
    config = uaps_jax.load(run[0], overrides=overrides).config
    expected = {"data.data_dir": "there", "evaluation.batch_size": 7}
    assert config_lib.flatten(config) == config_lib.flatten(run[1]) | expected


def test_overrides_that_contradict_the_checkpoint_are_all_named(run):
    overrides = {"train.seed": 3, "data.mean": (0.0, 0.0, 0.0), "data.data_dir": "there"}
    with pytest.raises(ConfigError) as refused:
        uaps_jax.load(run[0], overrides=overrides)
    assert "train.seed: 0 -> 3" in str(refused.value)
    assert "data.mean: " in str(refused.value)
    assert "data_dir" not in str(refused.value)
    assert "Leave these overrides out" in str(refused.value)


def test_settings_that_a_decision_was_not_set_with_are_refused(run):
    folder, config = run
    of_decision = config.evaluation.decision
    made = decided(image_score.rule_of(of_decision))
    target = dataclasses.replace(made.target, aim=of_decision.aim, rate=of_decision.rate)
    decisions.write(folder, 5, "main", dataclasses.replace(made, target=target))
    same = {"evaluation.decision.rate": of_decision.rate}
    assert uaps_jax.load(folder, 5, overrides=same).decision.target == target
    other = {"evaluation.decision.rate": 0.3, "evaluation.decision.top_pixels": 3}
    assert uaps_jax.load(folder, 3, overrides=other).score_rule.top_pixels == 3  # none is set
    with pytest.raises(ConfigError) as refused:
        uaps_jax.load(folder, 5, overrides=other)
    decisions.remove(folder, 5, "main")
    text = "evaluation.decision.rate, evaluation.decision.top_pixels: the decision of step 5 is for"
    assert str(refused.value).startswith(text)
    assert "--mode=evaluate with --config.evaluation.decision.rate" in str(refused.value)


def test_a_setting_that_the_method_of_the_checkpoint_lacks_is_named(run):
    with pytest.raises(ConfigError, match="method.delay does not exist .method uaps."):
        uaps_jax.load(run[0], overrides={"method.delay": 1})


def test_a_checkpoint_that_is_missing_is_named(run, tmp_path):
    with pytest.raises(CheckpointError, match="holds no checkpoint; train first"):
        uaps_jax.load(tmp_path)
    with pytest.raises(CheckpointError, match="4: must be best, latest or one of 3, 5"):
        uaps_jax.load(run[0], 4)


def test_the_folder_of_a_study_names_its_work_directories(run, tmp_path):
    (tmp_path / "checkpoints").mkdir()  # of a run that was stopped before the first one
    (tmp_path / "stopped" / "checkpoints").mkdir(parents=True)
    with pytest.raises(CheckpointError, match="holds no checkpoint; train first"):
        uaps_jax.load(tmp_path)
    shutil.copytree(run[0], tmp_path / "supervised")
    with pytest.raises(CheckpointError) as refused:
        uaps_jax.load(tmp_path)
    assert str(refused.value).endswith(f"work directories in it: {tmp_path / 'supervised'}")
    for number in range(5):
        shutil.copytree(run[0], tmp_path / f"a{number}")
    with pytest.raises(CheckpointError, match=r"a3 and 2 more$"):
        uaps_jax.load(tmp_path)


BAD = {
    "a float image": (
        np.zeros((8, 8, 3), np.float32),
        "image: is float32 [8, 8, 3]; give uint8 [H, W], grey, or [H, W, 3], RGB",
    ),
    "RGBA": (np.zeros((8, 8, 4), np.uint8), "image: is uint8 [8, 8, 4]; give"),
    "a batch": (np.zeros((2, 8, 8, 3), np.uint8), "image: is uint8 [2, 8, 8, 3]; give"),
    "no pixel": (np.zeros((0, 8), np.uint8), "image: is uint8 [0, 8]; give"),
    "in a list": (
        [np.zeros((8, 8), np.uint8), np.zeros((8, 8), int)],
        "image 1: is int64 [8, 8]; give",
    ),
    "no file": ("nowhere.png", "nowhere.png: cannot be read: No such file or directory"),
    "no image": (__file__, "test_trained.py: "),
}


@pytest.mark.parametrize("kind", BAD)
def test_an_image_that_cannot_be_used_is_a_sentence(model, kind):
    image, expected = BAD[kind]
    with pytest.raises(ImageError) as refused:
        model.predict(image)
    assert expected in str(refused.value)
    assert "\n" not in str(refused.value)
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)
    assert isinstance(refused.value, ValueError)


SCRIPT = """
import sys
import numpy
import uaps_jax
assert not {"jax", "absl"} & set(sys.modules) - BEFORE, "importing is not cheap"
model = uaps_jax.load(FOLDER, "latest")
prediction = model.predict(numpy.zeros((9, 11), numpy.uint8))
print(model.step, prediction.mask.shape, prediction.probabilities.shape, model.class_names)
"""


def test_a_model_is_used_from_another_directory_without_a_command_line(run, tmp_path):
    head = "import sys, numpy\nBEFORE = set(sys.modules)\n" + f"FOLDER = {str(run[0])!r}\n"
    done = subprocess.run(
        [sys.executable, "-c", head + SCRIPT, "--mode=nothing"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(PROJECT), "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == "5 (9, 11) (9, 11, 3) ('background', 'dark', 'bright')"
    assert not list(tmp_path.iterdir())


def test_the_package_names_what_it_offers():
    assert uaps_jax.load is inference.load
    assert "load" in dir(uaps_jax)
    with pytest.raises(AttributeError, match="module 'uaps_jax' has no attribute 'lod'"):
        _ = uaps_jax.lod
