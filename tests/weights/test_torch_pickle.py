"""Hostile pickles: what they name is not called."""

import builtins
import os
import pickle
import tracemalloc
from collections import OrderedDict

import numpy as np
import pytest

from tests.weights.writers import Called, legacy, plain, zipped
from uaps_jax import weights

FORMATS = pytest.mark.parametrize("form", [zipped, legacy])
FOUR = np.arange(4, dtype=np.float32)


@FORMATS
@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("touch called",), "posix.system'"),
        (builtins.eval, ("open('called', 'w')",), ".eval'"),
        (np.fromfile, ("called",), "numpy.fromfile'"),
        ("other.Namespace", (), "other.Namespace'"),
        ("torch._utils._rebuild_sparse_tensor", (), "torch._utils._rebuild_sparse_tensor'"),
        (OrderedDict.fromkeys, ("ab",), ".getattr'"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_what_a_pickle_calls_is_named_and_not_called(
    message, monkeypatch, tmp_path, form, function, arguments, name, protocol
):
    monkeypatch.chdir(tmp_path)
    content = {"a": plain(FOUR), "b": Called(function, arguments)}
    text = message(form(content, protocol))
    assert text.startswith("its pickle names '")
    assert f"{name}, which is neither executed nor read" in text
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize(
    "program",
    [
        b"(S'touch called'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'touch called'\no.",  # OBJ
        b"cos\nsystem\n)\x81.",  # NEWOBJ
        b"c__builtin__\neval\n(S'1'\ntR.",  # a name of Python 2
        b"\x8c\x02os\x8c\x06system\x93.",  # STACK_GLOBAL
    ],
)
def test_other_instructions_that_call_something(message, monkeypatch, tmp_path, program):
    monkeypatch.chdir(tmp_path)
    text = message(zipped({}, change=lambda records: records.update({DATA: program})))
    assert "its pickle names" in text
    assert not (tmp_path / "called").exists()


DATA = "archive/data.pkl"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"


@pytest.mark.parametrize(
    "program",
    [
        b"\x96\xff\xff\xff\xff\xff\xff\xff\x00.",  # 2^56 bytes follow
        b"\x8b\xff\xff\xff\x7f.",  # an integer of 2^31 bytes
        b"\x95\xff\xff\xff\xff\xff\xff\xff\x00N.",  # a frame of 2^56 bytes
        b"}]}s.",  # a list as key
        REBUILD + b"N}\x8c\x0c__defaults__Ns\x86b.",  # attributes of an allowed function
        REBUILD + b"}\x8c\x08functionNsb.",
        b"ctorch\nFloatStorage\n}\x8c\x05dtypeNsb.",
        REBUILD + b")R.",  # too few arguments
        b"ctorch._utils\n_rebuild_parameter\n(NNNtR.",
        b"NQ.",  # a storage without a description
        b"0.",  # pops from an empty stack
        b"}",  # no end
    ],
)
def test_programs_of_no_file(message, program):
    tracemalloc.start()
    try:
        text = message(zipped({}, change=lambda records: records.update({DATA: program})))
        assert "incomplete or damaged" in text
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("program", "name"),
    [
        (b"\x82\x01.", "EXT1"),  # an extension code
        (b"}r\xff\xff\x0f\x00.", "LONG_BINPUT"),  # index 2^20 - 1 of the memo
        (b"}p1000000\n.", "PUT"),
        (b"}q\x09.", "BINPUT"),
    ],
)
def test_instructions_that_are_refused_before_they_run(message, program, name):
    text = message(zipped({}, change=lambda records: records.update({DATA: program})))
    assert f"instruction {name} of its pickle is not one of PyTorch" in text


def test_no_program_changes_how_later_files_are_read(message, tmp_path):
    for name in (b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n"):
        for attribute in (b"\x8c\x08function", b"\x8c\x08__call__", b"\x8c\x08__dict__"):
            for state in (b"}" + attribute + b"Ns", b"N}" + attribute + b"Ns\x86"):
                program = name + state + b"b."
                message(zipped({}, change=lambda records, p=program: records.update({DATA: p})))
    (tmp_path / "good").write_bytes(zipped({"a": plain(FOUR)}))
    np.testing.assert_array_equal(weights.read(tmp_path / "good")["a"], FOUR)


def test_a_plain_pickle(message):
    assert "is not executed" in message(pickle.dumps({"a": 1}))
