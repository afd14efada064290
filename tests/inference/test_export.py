"""The ONNX file computes what the checkpoint does, preprocessing included."""

import dataclasses
import json

import jax
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import uaps_jax
from tests import tiny
from tests.inference.exports import ABOUT, decided, exported, photographs, run, session, trained
from uaps_jax.data import prepare, resample
from uaps_jax.data.source import Pool
from uaps_jax.evaluation import image_score
from uaps_jax.inference import comparison, export, pools
from uaps_jax.inference.onnx_file import model as onnx_model
from uaps_jax.inference.onnx_file import uncertainty
from uaps_jax.inference.onnx_file.graph import Graph

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
    model = run(exported(config, chosen, variables))
    images = photographs(3, config.data.height, config.data.width)
    found = comparison.differences(model, config, chosen, None, variables, images)
    assert found.probabilities <= 1e-5
    assert found.uncertainty <= 1e-4


@pytest.mark.parametrize(
    ("name", "predictor"),
    [
        ("uaps", "main"),
        ("uaps", "ensemble"),
        ("cct", "main"),
        ("cps", "first"),
        ("dueb", "mean"),
        ("dueb, variance", "first"),
    ],
)
@pytest.mark.parametrize("change", ["", "transpose"])
def test_the_uncertainty_is_the_methods_on_clean_features(name, predictor, change, tmp_path):
    method_name, _, variance = name.partition(", ")
    config = tiny.config(method_name)
    if variance:
        config.method.form = "repaired"  # whose variance heads are trained
    config.data.transpose = change == "transpose"
    for view in (config.views.labeled, config.views.unlabeled):
        view.rot90 = 0.0
    config.evaluation.predictor = predictor
    method, variables = trained(config)
    file = tmp_path / "x.onnx"
    about = (tiny.CLASS_NAMES, ABOUT, "method", tiny.SCORE, None)
    found = export.write(file, config, method, variables, *about)
    assert found.probabilities <= 1e-5
    assert found.uncertainty <= 1e-4
    opened = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    images = photographs(2, config.data.height, config.data.width)
    (actual,) = opened.run(["uncertainty"], {"images": images})
    # The maps that `predict` writes, here on clean features as well.
    clean = method.uncertainty.clean()
    assert clean.kind.name == ("predicted variance" if variance else "KL of the decoders")
    given = images.swapaxes(1, 2) if config.data.transpose else images
    pool = Pool(names=("a", "b"), images=given, masks=given[..., 0])
    predict = pools.make_predictor(
        config, dataclasses.replace(method, uncertainty=clean), tiny.SCORE, soft=False
    )
    expected = predict(variables, pool, first=0, batch_size=2).uncertainty
    if config.data.transpose:
        expected = expected.swapaxes(1, 2)
    assert actual.max() > 1e-3
    assert_allclose(actual, expected, rtol=1e-3, atol=3e-6)


def test_entropy_is_in_nats_and_0_for_a_certain_prediction():
    graph = Graph()
    graph.output("entropy", uncertainty._entropy(graph, "p"))
    shape = ["N", "C", "h", "w"]
    ends = [
        onnx.helper.make_tensor_value_info(end, onnx.TensorProto.FLOAT, shape)
        for end in ("p", "entropy")
    ]
    model = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, "test", ends[:1], ends[1:], graph.constants),
        opset_imports=[onnx.helper.make_opsetid("", onnx_model.OPSET)],
        ir_version=10,
    )
    opened = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    p = np.array([[1.0, 0.0], [0.5, 0.5]], np.float32).reshape(2, 2, 1, 1)
    (entropy,) = opened.run(None, {"p": p})
    assert_allclose(entropy.ravel(), [0.0, np.log(2)], rtol=1e-6)


def test_an_uncertainty_without_an_onnx_form_is_refused(tmp_path):
    config = tiny.config("uaps")
    method, variables = trained(config)
    other = dataclasses.replace(method, uncertainty=lambda variables, images, key: images[..., 0])
    with pytest.raises(export.ExportError, match="--uncertainty=entropy"):
        export.write(
            tmp_path / "x.onnx",
            config,
            other,
            variables,
            tiny.CLASS_NAMES,
            ABOUT,
            "method",
            tiny.SCORE,
            None,
        )
    assert not list(tmp_path.iterdir())


def test_a_shared_encoder_and_decoder_are_in_the_file_once():
    config = tiny.config("uaps")
    method, variables = trained(config)
    model = exported(config, method.predictor("main"), variables, method.uncertainty)
    encoder, decoder = 4, 4
    assert sum(node.op_type == "Conv" for node in model.graph.node) == encoder + 4 * decoder


@pytest.mark.parametrize("size", [(40, 23), (7, 90), (16, 16)])
def test_photographs_of_any_size_are_resized_as_in_training(size):
    config = tiny.config("supervised")
    method, variables = trained(config)
    predictor = method.predictor("main")
    images = photographs(2, *size)
    outputs = session(exported(config, predictor, variables)).run(None, {"images": images})
    mask, probabilities, uncertainty, _ = outputs
    seen = np.stack([prepare.image(image, config.data) for image in images])
    expected = np.asarray(jax.jit(predictor)(variables, seen))
    assert_allclose(probabilities, expected.transpose(0, 3, 1, 2), atol=1e-5)
    ids = expected.argmax(-1).astype(np.uint8)
    assert mask.dtype == np.uint8
    assert_array_equal(mask, np.stack([resample.nearest(m, *size) for m in ids]))
    assert len(np.unique(mask)) > 1
    entropy = -(expected * np.log(expected)).sum(-1)
    resized = np.stack([resample.nearest(e, *size) for e in entropy])
    assert_allclose(uncertainty, resized, atol=1e-4)


@pytest.mark.parametrize("resampling", ["nearest", "area"])
def test_a_scaled_photograph_is_segmented_whole_and_scaled_back(resampling):
    config = tiny.config("supervised")
    config.data.fit, config.data.scale, config.data.resampling = "crop", 0.4, resampling
    method, variables = trained(config)
    predictor = method.predictor("main")
    images = photographs(2, 61, 90)  # seen at 25 x 36, which the network extends to 26 x 36
    outputs = session(exported(config, predictor, variables)).run(None, {"images": images})
    mask, probabilities, uncertainty, score = outputs
    seen = np.stack([prepare.scaled(image, config.data) for image in images])
    padded = np.pad(seen, ((0, 0), (0, 1), (0, 0), (0, 0)), mode="edge")
    expected = np.asarray(jax.jit(predictor)(variables, padded))[:, :25]
    assert_allclose(probabilities, expected.transpose(0, 3, 1, 2), atol=1e-5)
    ids, entropy = expected.argmax(-1), -(expected * np.log(expected)).sum(-1)
    assert_array_equal(mask, np.stack([resample.nearest(m, 61, 90) for m in ids]))
    scaled_back = np.stack([resample.nearest(e, 61, 90) for e in entropy])
    assert_allclose(uncertainty, scaled_back, atol=1e-4)
    assert_allclose(score, [image_score.score(e, tiny.SCORE) for e in expected], atol=1e-5)


@pytest.mark.parametrize("data", [{"fit": "resize"}, {"fit": "crop", "scale": 0.6}])
def test_probabilities_are_at_the_size_of_the_photographs_if_asked(tmp_path, data):
    config = tiny.config("supervised")
    for name, value in data.items():
        setattr(config.data, name, value)
    method, variables = trained(config)
    decision = decided(tiny.SCORE, threshold=0.3)
    of_file = (tiny.CLASS_NAMES, ABOUT, "entropy", tiny.SCORE, decision)
    runs = []
    for full_size in (False, True):
        file = tmp_path / f"{full_size}.onnx"
        export.write(file, config, method, variables, *of_file, full_size=full_size)
        runs.append(export.in_onnx_runtime(file.read_bytes()))
    program = tmp_path / "true.stablehlo"
    judged_by = (tiny.SCORE, decision)
    export.write_stablehlo(
        program, config, method, variables, "entropy", *judged_by, full_size=True
    )
    images = photographs(2, 37, 50)
    network, full, in_jax = (
        *(run(images) for run in runs),
        export.in_jax(program.read_bytes())(images),
    )
    assert full["probabilities"].shape == (2, 3, 37, 50)
    small = network["probabilities"].transpose(0, 2, 3, 1)
    assert small.shape[1:3] == ((16, 16) if data["fit"] == "resize" else (23, 30))
    resized = np.stack([resample.nearest(one, 37, 50) for one in small])
    assert_allclose(full["probabilities"], resized.transpose(0, 3, 1, 2), atol=1e-6)
    assert_array_equal(full["probabilities"].argmax(1), full["mask"])
    for name in ("mask", "score", "not_ok", "uncertainty"):
        assert_allclose(full[name], network[name], atol=1e-6)
    assert_allclose(in_jax["probabilities"], full["probabilities"], atol=1e-5)


@pytest.mark.parametrize("scale", [0.5, 1.7])
def test_a_model_of_scaled_photographs_is_compared_and_written(tmp_path, scale):
    config = tiny.config("supervised")
    config.data.fit, config.data.scale, config.data.width = "crop", scale, 24
    config.data.transpose = True
    for view in (config.views.labeled, config.views.unlabeled):
        view.rot90 = 0.0
    method, variables = trained(config)
    of_model, judged_by = (config, method, variables), (tiny.SCORE, None)
    file = tmp_path / "x.onnx"
    found = export.write(file, *of_model, tiny.CLASS_NAMES, ABOUT, "entropy", *judged_by)
    file = tmp_path / "x.stablehlo"
    again = export.write_stablehlo(file, *of_model, "entropy", *judged_by)
    assert max(found.probabilities, again.probabilities) <= 1e-5
    assert max(found.uncertainty, again.uncertainty) <= 1e-4
    assert len(list(tmp_path.iterdir())) == 2


def test_with_pad_a_photograph_is_segmented_whole():
    config = tiny.config("supervised")
    config.data.fit = "pad"
    method, variables = trained(config)
    predictor = method.predictor("main")
    images = photographs(1, 37, 50)  # the network needs even sides
    outputs = session(exported(config, predictor, variables)).run(None, {"images": images})
    mask, probabilities, uncertainty, _ = outputs
    padded = np.pad(images, ((0, 0), (0, 1), (0, 0), (0, 0)), mode="edge")
    expected = np.asarray(jax.jit(predictor)(variables, padded))[:, :37]
    assert_allclose(probabilities, expected.transpose(0, 3, 1, 2), atol=1e-5)
    assert_array_equal(mask, expected.argmax(-1))
    assert_allclose(uncertainty, -(expected * np.log(expected)).sum(-1), atol=1e-4)


def test_class_names_and_origin_are_in_the_file(tmp_path):
    config = tiny.config("supervised")
    method, variables = trained(config)
    file = tmp_path / "export" / "step_7.onnx"
    about = (tiny.CLASS_NAMES, ABOUT, "entropy", tiny.SCORE, None)
    found = export.write(file, config, method, variables, *about)
    assert 0 < found.probabilities <= 1e-5
    assert 0 < found.uncertainty <= 1e-4
    model = onnx.load(file)
    properties = {p.key: p.value for p in model.metadata_props}
    assert json.loads(properties["classes"]) == list(tiny.CLASS_NAMES)
    assert properties["step"] == "7"
    assert properties["uncertainty"] == "entropy"
    assert (model.producer_name, model.producer_version) == ("uaps_jax", uaps_jax.__version__)
    assert "background, dark, bright" in model.doc_string
    texts = {info.name: info.doc_string for info in (*model.graph.input, *model.graph.output)}
    assert set(texts) == {"images", "mask", "probabilities", "uncertainty", "score"}
    assert "RGB" in texts["images"]
    assert "0 background, 1 dark, 2 bright" in texts["mask"]
    assert "entropy of the probabilities" in texts["uncertainty"]
    assert [f.name for f in file.parent.iterdir()] == ["step_7.onnx"]


def test_an_export_that_differs_from_the_checkpoint_is_not_written(tmp_path, monkeypatch):
    config = tiny.config("supervised")
    method, variables = trained(config)
    _, others = trained(config, seed=1)
    of_others = exported(config, method.predictor(""), others)
    monkeypatch.setattr(onnx_model, "to_onnx", lambda *arguments, full_size: of_others)
    with pytest.raises(export.ExportError, match="is not written"):
        export.write(
            tmp_path / "x.onnx",
            config,
            method,
            variables,
            tiny.CLASS_NAMES,
            ABOUT,
            "entropy",
            tiny.SCORE,
            None,
        )
    assert not list(tmp_path.iterdir())


def test_only_the_heads_of_the_predictor_are_in_the_file():
    config = tiny.config("uaps")
    method, variables = trained(config)
    counts = []
    for name in ("main", "ensemble"):
        model = exported(config, method.predictor(name), variables)
        counts.append(sum(node.op_type == "Conv" for node in model.graph.node))
    encoder, decoder = 4, 4  # two blocks of two; a reduction, a block of two, a classifier
    assert counts == [encoder + decoder, encoder + 4 * decoder]
