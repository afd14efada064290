"""The format safetensors."""

import json

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uaps_jax import weights
from uaps_jax.weights import WeightsError

TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": ml_dtypes.bfloat16,
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    "BOOL": "bool",
}


def with_header(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype="F32", shape=(2,), begin=0, end=8):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def written(arrays):
    """A file of name -> (type, array)."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (dtype, array) in arrays.items():
        begin, data = len(data), data + array.tobytes()
        header[name] = entry(dtype, array.shape, begin, len(data))
    return with_header(header, data)


@pytest.fixture
def read(tmp_path):
    def write_and_read(content):
        (tmp_path / "weights.bin").write_bytes(content)
        return weights.read(tmp_path / "weights.bin")

    return write_and_read


def test_every_type(read):
    arrays = {
        name: (name, np.array([[0, 1, 2.5], [3, 77, 0]]).astype(dtype))
        for name, dtype in TYPES.items()
    }
    arrays["scalar"] = ("I64", np.array(7))
    arrays["empty"] = ("F32", np.zeros((0, 3), np.float32))
    found = read(written(arrays))
    assert set(found) == set(arrays)
    for name, (dtype, array) in arrays.items():
        expected = array.astype(np.float32) if dtype == "BF16" else array
        assert found[name].dtype == expected.dtype
        np.testing.assert_array_equal(found[name], expected)
        assert not found[name].flags.writeable


def test_the_order_in_the_header_is_free(read):
    data = np.arange(4, dtype=np.float32).tobytes()
    found = read(with_header({"b": entry(begin=8, end=16), "a": entry()}, data))
    np.testing.assert_array_equal(found["a"], [0, 1])
    np.testing.assert_array_equal(found["b"], [2, 3])


@pytest.mark.parametrize(
    "header",
    [
        b"{",
        b"{" + b'"a":{' * 100_000,
        b'{"a": 1' + b"0" * 5000 + b"}",
        b"{\xff}",
        {"a": 3},
        {"a": entry(shape=2)},
        {"a": entry(shape=[-2])},
        {"a": entry(shape=[True, 2])},
        {"a": entry(shape=[2.0])},
        {"a": entry(shape=[2**80])},
        {"a": entry(shape=[3])},
        {"a": entry(shape=[1] * 70)},
        {"a": entry(shape=[0, 2**62, 2**62], end=0)},
        {"a": entry(begin=-8, end=0)},
        {"a": entry(begin=8, end=16)},
        {"a": entry(shape=[2**40], end=2**42)},
        {"a": entry(begin="0")},
        {"a": entry(), "b": entry()},
        {"a": entry(shape=[1], end=4)},
        {"a": {"dtype": "F32", "shape": [2]}},
        {"a": entry() | {"dtype": 32}},
    ],
)
def test_wrong_headers(read, header):
    with pytest.raises(WeightsError, match="incomplete or damaged"):
        read(with_header(header, bytes(8)))


@pytest.mark.parametrize("begin", [0, 4, 16])
def test_holes_and_overlaps(read, begin):
    header = {"a": entry(), "b": entry(begin=begin, end=begin + 8)}
    with pytest.raises(WeightsError, match="damaged"):
        read(with_header(header, bytes(24)))


@pytest.mark.parametrize("length", [2**64 - 1, 2**40, 30])
def test_wrong_lengths_of_the_header(read, length):
    content = with_header({"a": entry()}, bytes(8))
    with pytest.raises(WeightsError, match="damaged"):
        read(length.to_bytes(8, "little") + content[8:])


def test_types_that_are_not_read(read):
    with pytest.raises(WeightsError, match="type 'F8_E4M3', which is not read"):
        read(with_header({"a": entry("F8_E4M3")}, bytes(8)))


def test_no_arrays(read):
    with pytest.raises(WeightsError, match="holds no arrays"):
        read(with_header({"__metadata__": {}}))


TINY = written({"a": ("F32", np.ones(2, np.float32)), "b": ("I8", np.ones(3, np.int8))})


def test_a_file_cut_at_any_length(read):
    for length in range(len(TINY)):
        with pytest.raises(WeightsError):
            read(TINY[:length])
    assert list(read(TINY)) == ["a", "b"]


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_changed_bytes(read, data):
    content = bytearray(TINY)
    for place in data.draw(st.lists(st.integers(0, len(TINY) - 1), min_size=1, max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    try:
        found = read(bytes(content))
    except WeightsError:
        return
    assert all(isinstance(array, np.ndarray) for array in found.values())
