"""The ONNX file computes what the checkpoint does, preprocessing included."""

import json

import jax
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import tiny
from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.data import prepare
from uaps_jax.inference import export
from uaps_jax.models import layers

ABOUT = {"method": "tiny", "step": "7"}


def trained(config, seed=0):
    """Variables with scales, shifts and statistics as after training, none of them trivial."""
    method = methods.build(config_lib.validate(config))
    random = np.random.default_rng(seed)

    def moved(path, value):
        if "kernel" in jax.tree_util.keystr(path):
            return value
        return (value + random.uniform(0.0, 0.3, value.shape)).astype(np.float32)

    return method, jax.tree_util.tree_map_with_path(moved, method.variables(*method.init(seed)))


def session(config, predictor, variables):
    model = export.to_onnx(config, predictor, variables, tiny.CLASS_NAMES, ABOUT)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def photographs(count, height, width):
    return np.random.default_rng(3).integers(0, 256, (count, height, width, 3), np.uint8)


PREDICTORS = [
    ("supervised", "main"),
    ("uaps", "main"),
    ("uaps", "ensemble"),
    ("mean_teacher", "teacher"),
    ("cps", "mean"),
    ("cps", "second"),
]


@pytest.mark.parametrize(("name", "predictor"), PREDICTORS)
@pytest.mark.parametrize("change", ["", "grey", "transpose"])
def test_probabilities_equal_the_checkpoints(name, predictor, change):
    config = tiny.config(name)
    config.data.height, config.data.width = (16, 32) if change == "transpose" else (16, 16)
    config.data.transpose = change == "transpose"
    for view in (config.views.labeled, config.views.unlabeled):
        view.rot90 = 0.0
    if change == "grey":
        config.data.channels, config.data.mean, config.data.std = 1, (0.4,), (0.2,)
    method, variables = trained(config)
    chosen = method.predictor(predictor)
    opened = session(config, chosen, variables)
    for count in (1, 3):
        images = photographs(count, config.data.height, config.data.width)
        assert export.disagreement(opened, config, chosen, variables, images) <= 1e-5


@pytest.mark.parametrize("size", [(40, 23), (7, 90), (16, 16)])
def test_photographs_of_any_size_are_resized_as_in_training(size):
    config = tiny.config("supervised")
    method, variables = trained(config)
    predictor = method.predictor("main")
    images = photographs(2, *size)
    mask, probabilities = session(config, predictor, variables).run(None, {"images": images})
    seen = np.stack([prepare.image(image, config.data) for image in images])
    expected = np.asarray(jax.jit(predictor)(variables, seen))
    assert_allclose(probabilities, expected.transpose(0, 3, 1, 2), atol=1e-5)
    ids = expected.argmax(-1).astype(np.uint8)
    assert mask.dtype == np.uint8
    assert_array_equal(mask, np.stack([prepare.resize(m, *size) for m in ids]))
    assert len(np.unique(mask)) > 1


def test_with_pad_a_photograph_is_segmented_whole():
    config = tiny.config("supervised")
    config.data.fit = "pad"
    method, variables = trained(config)
    predictor = method.predictor("main")
    images = photographs(1, 37, 50)  # the network needs even sides
    mask, probabilities = session(config, predictor, variables).run(None, {"images": images})
    padded = np.pad(images, ((0, 0), (0, 1), (0, 0), (0, 0)), mode="edge")
    expected = np.asarray(jax.jit(predictor)(variables, padded))[:, :37]
    assert_allclose(probabilities, expected.transpose(0, 3, 1, 2), atol=1e-5)
    assert_array_equal(mask, expected.argmax(-1))


def test_class_names_and_origin_are_in_the_file(tmp_path):
    config = tiny.config("supervised")
    method, variables = trained(config)
    file = tmp_path / "export" / "step_7.onnx"
    difference = export.write(file, config, method, variables, tiny.CLASS_NAMES, ABOUT)
    assert 0 < difference <= 1e-5
    properties = {p.key: p.value for p in onnx.load(file).metadata_props}
    assert json.loads(properties["classes"]) == list(tiny.CLASS_NAMES)
    assert properties["step"] == "7"
    assert [f.name for f in file.parent.iterdir()] == ["step_7.onnx"]


def test_an_export_that_differs_from_the_checkpoint_is_not_written(tmp_path, monkeypatch):
    config = tiny.config("supervised")
    method, variables = trained(config)
    monkeypatch.setattr(layers, "LEAKY_SLOPE", 0.2)
    jax.clear_caches()
    folded = export.to_onnx(config, method.predictor(""), variables, tiny.CLASS_NAMES, ABOUT)
    monkeypatch.undo()
    monkeypatch.setattr(export, "to_onnx", lambda *arguments: folded)
    with pytest.raises(export.ExportError, match="is not written"):
        export.write(tmp_path / "x.onnx", config, method, variables, tiny.CLASS_NAMES, ABOUT)
    assert not list(tmp_path.iterdir())


def test_only_the_heads_of_the_predictor_are_in_the_file():
    config = tiny.config("uaps")
    method, variables = trained(config)
    counts = []
    for name in ("main", "ensemble"):
        model = export.to_onnx(config, method.predictor(name), variables, tiny.CLASS_NAMES, ABOUT)
        counts.append(sum(node.op_type == "Conv" for node in model.graph.node))
    encoder, decoder = 4, 4  # two blocks of two; a reduction, a block of two, a classifier
    assert counts == [encoder + decoder, encoder + 4 * decoder]
