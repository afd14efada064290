"""Scores in the ONNX graph equal those of the library, small regions left out or not."""

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.evaluation.test_image_score import RULES, maps, probabilities
from uaps_jax.evaluation.image_score import ScoreRule, score
from uaps_jax.inference.onnx_file import image_score
from uaps_jax.inference.onnx_file.graph import Graph
from uaps_jax.inference.onnx_file.model import OPSET


def of_file(rule, p, pixels):
    graph = Graph()
    graph.output("score", image_score.scores(graph, "p", rule, pixels))
    graph.drop_unused()
    kind = onnx.TensorProto.FLOAT
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            "test",
            [onnx.helper.make_tensor_value_info("p", kind, ["N", "C", "h", "w"])],
            [onnx.helper.make_tensor_value_info("score", kind, ["N"])],
            graph.constants,
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=10,
    )
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"p": p.transpose(0, 3, 1, 2)})[0]


@pytest.mark.parametrize("pixels", [63, None])
@pytest.mark.parametrize("rule", RULES)
def test_scores_equal_the_librarys(rule, pixels):
    p = probabilities()
    expected = [score(one, rule) for one in p]
    assert len(set(expected)) > 3
    np.testing.assert_allclose(of_file(rule, p, pixels), expected, rtol=1e-5)


@pytest.mark.parametrize("pixels", [121, None])
@pytest.mark.parametrize("minimum", [2, 5, 61])
def test_regions_of_every_form_are_measured(minimum, pixels):
    marked = maps()
    p = np.stack([1 - marked, marked], -1).astype(np.float32)
    rule = ScoreRule(kind="area", top_pixels=1, pixel_threshold=0.5, minimum_area=minimum)
    expected = [score(one, rule) for one in p]
    np.testing.assert_array_equal(of_file(rule, p, pixels), expected)
    assert 0 < np.sum(expected) < marked.sum()
