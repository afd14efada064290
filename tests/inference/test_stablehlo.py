"""The StableHLO file, read again, computes what the ONNX file does, at any number and size."""

import dataclasses

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import tiny
from tests.inference.exports import decided, exported, photographs, run, session, trained
from uaps_jax.configs.parts import networks
from uaps_jax.evaluation import image_score
from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.inference import export, stablehlo
from uaps_jax.inference.outputs import ExportError
from uaps_jax.models import resnet

OUTPUTS = ("mask", "probabilities", "uncertainty", "score", "not_ok")
SHAPES = ((1, 32, 32), (3, 21, 50))


@pytest.fixture(autouse=True)
def _one_platform(monkeypatch):
    """Lowered for this machine alone; for all of them in the test of the file."""
    monkeypatch.setattr(stablehlo, "PLATFORMS", ("cpu",))


def configured(method, fit, **data):
    config = tiny.config(method)
    config.data.fit = fit
    for name, value in data.items():
        setattr(config.data, name, value)
    for view in (config.views.labeled, config.views.unlabeled):
        view.rot90 = 0.0
    return config


def assert_same(config, predictor, variables, uncertainty, rule=tiny.SCORE):
    judged_by = (rule, decided(rule))
    program = stablehlo.to_stablehlo(config, predictor, uncertainty, variables, *judged_by)
    model = session(exported(config, predictor, variables, uncertainty, *judged_by))
    read = jax.export.deserialize(program.serialize())
    for shape in SHAPES:
        images = photographs(*shape)
        actual = read.call(images)
        expected = dict(zip(OUTPUTS, model.run(OUTPUTS, {"images": images}), strict=True))
        assert actual.keys() == expected.keys()
        for name, value in expected.items():
            assert actual[name].dtype == value.dtype
            assert_allclose(actual[name], value, rtol=1e-5, atol=1e-5)
        assert actual["probabilities"].std() > 1e-2


REGIONS = ScoreRule(kind="top", top_pixels=9, pixel_threshold=0.6, minimum_area=4)
GREY = {"channels": 1, "mean": (0.4,), "std": (0.2,)}


@pytest.mark.parametrize(
    ("method", "predictor", "data", "rule", "fit"),
    [
        ("uaps", "ensemble", {}, tiny.SCORE, "resize"),
        ("cps", "mean", {"transpose": True, "height": 8, "width": 16}, tiny.SCORE, "resize"),
        ("dueb", "mean", {}, tiny.SCORE, "pad"),
        ("supervised", "main", GREY, REGIONS, "pad"),
    ],
)
def test_it_equals_the_onnx_file(method, predictor, data, rule, fit):
    config = configured(method, fit, **data)
    if method == "dueb":
        config.method.form = "repaired"
    built, variables = trained(config)
    uncertainty = None if built.uncertainty is None else built.uncertainty.clean()
    assert_same(config, built.predictor(predictor), variables, uncertainty, rule)


@pytest.mark.parametrize("rule", [tiny.SCORE, dataclasses.replace(REGIONS, kind="area")])
def test_an_image_of_nan_is_not_ok(rule):
    config = configured("supervised", "resize")
    built, variables = trained(config)
    variables = jax.tree.map(lambda array: array * np.nan, variables)
    predictor, decision = built.predictor("main"), decided(rule)
    images = photographs(2, 16, 16)
    judged = {"rule": rule, "decision": decision}
    onnx_file = run(exported(config, predictor, variables, **judged))
    program = stablehlo.to_stablehlo(config, predictor, None, variables, rule, decision)
    for found in (onnx_file(images), program.call(images)):
        assert np.isnan(found["score"]).all() == (rule.kind == "top")
        assert np.asarray(found["not_ok"]).all()
        probabilities = np.moveaxis(np.asarray(found["probabilities"]), 1, -1)
        scores = [image_score.score(one, rule) for one in probabilities]
        assert_array_equal(scores, found["score"])


@pytest.mark.parametrize("data", [{"fit": "resize"}, {"fit": "crop", "scale": 0.6}])
def test_means_over_areas(data):
    config = configured("supervised", **data, resampling="area")
    built, variables = trained(config)
    assert_same(config, built.predictor("main"), variables, None)


@pytest.mark.parametrize("name", ["pspnet_resnet18", "fpn_resnet18"])
def test_other_networks(name, monkeypatch):
    monkeypatch.setattr(resnet, "WIDTHS", (4, 8, 8, 12))
    config = configured("supervised", "pad", height=64, width=32)
    config.network = networks.NETWORKS[name](pretrained="")
    built, variables = trained(config)
    assert_same(config, built.predictor(""), variables, None)


def test_it_is_written_if_it_equals_the_checkpoint(tmp_path, monkeypatch):
    monkeypatch.undo()
    config = configured("uaps", "resize")
    method, variables = trained(config)
    file = tmp_path / "export" / "step_7.stablehlo"
    found = export.write_stablehlo(file, config, method, variables, "method", tiny.SCORE, None)
    assert found.probabilities <= 1e-5
    assert found.uncertainty <= 1e-4
    exported = jax.export.deserialize(bytearray(file.read_bytes()))
    assert exported.platforms == ("cpu", "cuda", "rocm", "tpu")
    mask = exported.call(photographs(1, 20, 20))["mask"]
    assert_array_equal(mask.shape, (1, 20, 20))
    _, others = trained(config, seed=1)
    of_others = stablehlo.to_stablehlo(config, method.predictor(""), None, others, tiny.SCORE, None)
    monkeypatch.setattr(stablehlo, "to_stablehlo", lambda *arguments, full_size: of_others)
    file.unlink()
    with pytest.raises(ExportError, match="is not written"):
        export.write_stablehlo(file, config, method, variables, "entropy", tiny.SCORE, None)
    assert not file.exists()


def test_a_network_of_one_size_only_is_refused_by_name():
    config = configured("supervised", "pad")
    method, variables = trained(config)
    fixed = dataclasses.replace(
        method.predictor(""), normalize=lambda x: x * np.ones(x.shape[1:])[None]
    )
    with pytest.raises(ExportError, match="network unet: it cannot be traced for images of any"):
        stablehlo.to_stablehlo(config, fixed, None, variables, tiny.SCORE, None)
