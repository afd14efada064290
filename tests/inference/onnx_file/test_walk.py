"""Functions of images, traced for any number and size, compute the same in ONNX Runtime."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.testing import assert_allclose

from tests.inference.onnx_file.functions import CHANNELS, FUNCTIONS, conv
from uaps_jax.inference.onnx_file import model as onnx_model
from uaps_jax.inference.onnx_file import walk
from uaps_jax.inference.onnx_file.graph import Graph
from uaps_jax.inference.outputs import ExportError
from uaps_jax.models import operations

UNIT = 4
SIZES = ((1, 8, 12), (3, 4, 8))


def translated(function, size=UNIT):
    """The ONNX model of `[N, H, W, C]` to one array."""
    graph, rank = Graph(), jax.eval_shape(function, images(SIZES[0])).ndim
    (name,) = walk.outputs(graph, lambda x: [function(x)], "x", CHANNELS, size)
    graph.output("y", name)
    graph.drop_unused()
    kind = onnx.TensorProto.FLOAT
    ends = [
        [onnx.helper.make_tensor_value_info("x", kind, ["N", CHANNELS, "H", "W"])],
        [onnx.helper.make_tensor_value_info("y", kind, [f"y{axis}" for axis in range(rank)])],
    ]
    model = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, "test", *ends, graph.constants),
        opset_imports=[onnx.helper.make_opsetid("", onnx_model.OPSET)],
        ir_version=10,
    )
    onnx.checker.check_model(model)
    return model


def computed(model, x):
    """The output for `x` `[N, H, W, C]`, in JAX's order of axes."""
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (y,) = session.run(None, {"x": x.transpose(0, 3, 1, 2)})
    return y.transpose(0, 2, 3, 1) if y.ndim == 4 else y


def operators(model):
    return [node.op_type for node in model.graph.node if node.op_type != "Identity"]


def images(shape, seed=0):
    return np.random.default_rng(seed).normal(size=(*shape, CHANNELS)).astype(np.float32)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_any_number_and_size_of_images(name):
    function = FUNCTIONS[name]
    model = translated(function)
    for shape in SIZES:
        x = images(shape)
        expected = np.asarray(function(x))
        actual = computed(model, x)
        assert actual.shape == expected.shape
        assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["pooling.adaptive_mean", "resize.resize", "places", "attention"])
def test_any_number_of_images_of_one_size(name):
    function = FUNCTIONS[name]
    model = translated(function, size=(8, 12))
    for count in (1, 2):
        x = images((count, 8, 12))
        assert_allclose(computed(model, x), function(x), rtol=1e-5, atol=1e-5)


OPERATORS = {
    "nn.relu": ["Relu"],
    "convolution, scaled": ["Conv"],
    "convolution, transposed": ["ConvTranspose"],
    "pooling.max_pool_2x2": ["MaxPool"],
    "pooling.max_pool_3x3": ["MaxPool"],
    "pooling.global_mean": ["GlobalAveragePool"],
    "resize.upsample": ["Resize"],
    "resize.resize, by a factor": ["Resize"],
    "layers.leaky_relu": ["LeakyRelu"],
    "efficientnet_lite.relu6": ["Mul", "Clip"],
    "depthwise.convolve": ["Conv"],
}


@pytest.mark.parametrize("name", OPERATORS)
def test_one_operator_where_there_is_one(name):
    assert operators(translated(FUNCTIONS[name])) == OPERATORS[name]


def test_a_convolution_that_is_used_twice_is_computed_once():
    def function(x):
        y = conv(x)
        return y * 2 + nn.relu(y - 1)

    assert operators(translated(function)).count("Conv") == 1


def test_a_depthwise_convolution_is_a_grouped_one():
    (node,) = (
        node for node in translated(FUNCTIONS["depthwise.convolve"]).graph.node if node.attribute
    )
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    assert attributes == {"group": CHANNELS, "pads": [1, 1, 2, 2], "strides": [2, 2]}


def test_a_function_of_the_same_name_is_no_operation():
    @jax.jit
    def upsample(x):
        return x + 1

    @operations.operation
    def max_pool_2x2(x):
        return 2 * x

    x = images((1, 4, 4))
    assert_allclose(computed(translated(lambda x: max_pool_2x2(upsample(x))), x), 2 * (x + 1))


def summed(x):
    return jnp.cumsum(x, axis=1)


REFUSED = {
    "cumsum": (summed, "the operation cumsum has no ONNX form"),
    "sort": (lambda x: jax.named_scope("Top/sorted")(jnp.sort)(x), "sort in Top/sorted has no"),
    "loop": (lambda x: jax.lax.fori_loop(0, 3, lambda i, y: y + x, x), "scan has no ONNX form"),
    "kernel": (lambda x: jax.lax.conv(x, x, (1, 1), "SAME"), "computed kernel"),
    "numpy": (lambda x: x * np.ones(x.shape), "cannot be traced for images of any"),
    "size": (lambda x: x if x.shape[1] < 99 else 2 * x, "any number and size: Symbolic dimension"),
    "bits": (lambda x: (x.astype(int) & 1).astype(float), "and of whole numbers has no ONNX form"),
    "indices": (lambda x: jnp.take(x, jnp.arange(2), axis=1), "gather with indices that may be"),
    "window": (lambda x: jax.lax.reduce_window(x, 0.0, jax.lax.add, (2, 1, 1, 1), (1,) * 4, "SAME"),
               "reduce_window_sum over other axes"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_form_is_refused_by_name(name):
    function, text = REFUSED[name]
    with pytest.raises(ExportError, match=text) as refused:
        translated(function)
    assert "\n" not in str(refused.value)
