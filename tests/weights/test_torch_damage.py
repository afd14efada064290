"""Damaged files of PyTorch: a sentence, and no other exception."""

import io
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.weights.writers import MACHINE, Storage, legacy, plain, tensor, zipped
from uaps_jax import weights
from uaps_jax.weights import WeightsError

FORMATS = pytest.mark.parametrize("form", [zipped, legacy])
FOUR = np.arange(4, dtype=np.float32)
DATA = "archive/data.pkl"


@FORMATS
@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (1, (4,), (1,)),
        (0, (2, 2), (2, 2)),
        (0, (2,), (4,)),
        (4, (), ()),
        (0, (2, 2), (2**62, 1)),
        (2**62, (1,), (1,)),
        (0, (2**40, 2**40), (0, 0)),
        (0, (2**70,), (0,)),
        (0, (5,), (0,)),
        (0, (0, 2**62, 2**62), (0, 0, 0)),
        (3, (2,), (-1,)),
        (-1, (2,), (1,)),
        (0, (-1,), (1,)),
        (0, (-2, -2), (1, 1)),
        (0, (2, 2), (2,)),
        (0, (True,), (1,)),
        (0, 4, 1),
        (0, None, None),
        (0.0, (1,), (1,)),
        (0, (1,) * 65, (1,) * 65),
    ],
)
def test_views_outside_of_the_storage(message, form, offset, shape, strides):
    message(form({"a": tensor(Storage(FOUR), offset, shape, strides)}))


@FORMATS
def test_the_message_about_a_view_has_its_shape(message, form):
    text = message(form({"a": tensor(Storage(FOUR), 0, (2, 2), (3, 1))}))
    assert "(a tensor of shape (2, 2) reaches outside of its storage)" in text
    text = message(form({"a": tensor(Storage(FOUR), 0, (5,), (0,))}))
    assert "has a tensor of shape (5,) that repeats" in text


@FORMATS
@pytest.mark.parametrize("length", [5, 2**62, 2**70, -1, "4", [4], True, 3.0])
def test_lengths_that_the_file_does_not_have(message, form, length):
    message(form({"a": tensor(Storage(FOUR, length=length), 0, (4,), (1,))}))


@pytest.mark.parametrize("length", [3, 0])
def test_a_legacy_file_states_each_length_twice(message, length):
    content = legacy({"a": tensor(Storage(FOUR, length=length), 0, (length,), (1,))})
    assert "damaged" in message(content)


def test_both_lengths_are_too_large(message):
    content = legacy({"a": tensor(Storage(FOUR, length=2**62), 0, (4,), (1,))})
    length = (4).to_bytes(8, "little")
    assert content.count(length) == 1
    assert "damaged" in message(content.replace(length, (2**62).to_bytes(8, "little")))


@FORMATS
@pytest.mark.parametrize(
    "storage",
    [
        Storage(FOUR, key=7),
        Storage(FOUR, kind="torch.ComplexFloatStorage"),
        Storage(FOUR, kind="torch._utils._rebuild_tensor_v2"),
        Storage(FOUR, extra=(("1", 0, 2),)),
    ],
)
def test_descriptions_of_storages(message, form, storage):
    message(form({"a": tensor(storage, 0, (4,), (1,))}))


@FORMATS
def test_a_storage_that_is_described_in_two_ways(message, form):
    two = (Storage(FOUR), Storage(FOUR.view(np.int32)))
    content = {name: tensor(s, 0, (4,), (1,)) for name, s in zip("ab", two, strict=True)}
    assert "in two ways" in message(form(content))


@FORMATS
def test_values_that_are_kept_negated(message, form):
    rest = (False, OrderedDict(), {"neg": True})
    message(form({"a": tensor(Storage(FOUR), 0, (4,), (1,), *rest)}))


@FORMATS
@pytest.mark.parametrize("content", [plain(FOUR), [plain(FOUR)], {}, {"epoch": 1}, 3, None])
def test_files_without_named_tensors(message, form, content):
    assert "holds no tensor with a name" in message(form(content))


@FORMATS
@pytest.mark.parametrize("names", ["a", "ab"])
def test_dictionaries_that_contain_themselves(message, form, names):
    content = {"z": plain(FOUR)}
    for name in names:
        content[name] = content
    assert "nested without end" in message(form(content))


@FORMATS
def test_dictionaries_with_too_many_names(message, form):
    content = {"z": plain(FOUR)}
    for _ in range(20):
        content = {"a": content, "b": content}
    assert "nested without end" in message(form(content))


@FORMATS
def test_long_names(message, form):
    assert "a name of more than 1000 characters" in message(form({"a" * 1001: plain(FOUR)}))


@FORMATS
def test_one_name_twice(message, form):
    content = {"a.b": plain(FOUR), "a": {"b": plain(FOUR, "1")}}
    assert "the name 'a.b' twice" in message(form(content))


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (legacy({"a": plain(FOUR)}, version=1000), "damaged"),
        (legacy({"a": plain(FOUR)}, machine=[]), "damaged"),
        (legacy({"a": plain(FOUR)}, machine=MACHINE | {"little_endian": False}), "little-endian"),
        (legacy({"a": plain(FOUR)}, keys=[]), "damaged"),
        (legacy({"a": plain(FOUR)}, keys=["0", "0"]), "damaged"),
        (legacy({"a": plain(FOUR)}, keys=["0", "1"]), "damaged"),
        (legacy({"a": plain(FOUR)}, keys="0"), "damaged"),
    ],
)
def test_other_parts_of_a_legacy_file(message, content, part):
    assert part in message(content)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda records: records.pop("archive/data/0"), "archive/data/0"),
        (lambda records: records.pop(DATA), "not one that `torch.save` wrote"),
        (lambda records: records.update({"b/data.pkl": b"N."}), "not one that"),
        (lambda records: records.update({"archive/byteorder": b"big"}), "little-endian"),
        (lambda records: records.update({"archive/data/0": b"123"}), "damaged"),
        (lambda records: records.update({"archive/constants.pkl": b"N."}), "torch.jit"),
    ],
)
def test_other_records_of_a_zip_file(message, change, part):
    assert part in message(zipped({"a": plain(FOUR)}, change=change))


def test_compressed_records_are_refused(message):
    content = zipped({"a": plain(np.zeros(10**6, np.float32))}, compression=zipfile.ZIP_DEFLATED)
    assert "compressed" in message(content)


def test_records_that_overlap_are_refused(message):
    """A small archive would need much memory."""
    content = zipped({"a": plain(np.zeros(1000, np.float32))})
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a") as archive:
        first = archive.getinfo("archive/data/0")
        for number in range(9):
            again = zipfile.ZipInfo(f"archive/data/{number + 1}")
            again.header_offset, again.CRC = first.header_offset, first.CRC
            again.file_size = again.compress_size = first.file_size
            archive.filelist.append(again)
            archive.NameToInfo[again.filename] = again
        archive._didModify = True
    assert "damaged" in message(stream.getvalue())


TINY = {
    "model": {
        "w": tensor(Storage(np.arange(6, dtype=np.float32)), 1, (2, 2), (1, 2)),
        "n": tensor(Storage(np.array([3]), "1"), 0, (), ()),
    }
}


@FORMATS
def test_a_file_cut_at_any_length(tmp_path, form):
    whole = form(TINY)
    path = tmp_path / "weights.pth"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(WeightsError):
            weights.read(path)
    path.write_bytes(whole)
    assert list(weights.read(path)) == ["model.w", "model.n"]


@FORMATS
@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_changed_bytes(tmp_path, form, data):
    content = bytearray(form(TINY))
    places = st.integers(0, len(content) - 1)
    for place in data.draw(st.lists(places, min_size=1, max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    try:
        found = weights.read(path)
    except WeightsError:
        return
    assert all(isinstance(array, np.ndarray) for array in found.values())
